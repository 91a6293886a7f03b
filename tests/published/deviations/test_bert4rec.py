from dataclasses import replace

import numpy as np
import pytest
import torch
from recommenders.conformance import checkerboard, colours
from torch import nn

from mrs.errors import InputError
from mrs.published.deviations import recommender_of
from mrs.published.deviations.bert4rec import TiedItems
from mrs.recommenders.bert4rec import Items, OwnItems, SequenceModule

FEW = {"max_epochs": 2, "dropout": 0.0}


def test_the_table_starts_at_the_raw_vectors_and_is_trained() -> None:
    split = checkerboard()
    vectors = 5 + colours(split.warm, split, width=6)
    recommender = recommender_of("bert4rec", FEW, "published:tied_raw_vectors")
    assert np.array_equal(TiedItems(vectors)().detach().numpy(), vectors)
    fitted = recommender.fit(split, vectors, seed=0)
    moved = np.abs(fitted.items() - vectors).max()
    assert 0 < moved < 0.1  # a few steps of 0.001
    cold = colours(split.cold, split, width=6)
    assert np.array_equal(fitted.encode(cold), cold)
    assert fitted.users().shape[1] == 6


def test_nothing_projects_between_table_and_encoder() -> None:
    split = checkerboard()
    recommender = recommender_of("bert4rec", FEW, "published:tied_raw_vectors")
    as_wide = replace(recommender, embedding_size=6)
    module = as_wide.module(TiedItems(colours(split.warm, split, width=6)), split, 0)
    assert isinstance(module.encoder.projection_out, nn.Identity)
    assert not any("projection" in name for name, _ in module.named_parameters())


def test_heads_have_to_divide_the_width() -> None:
    split = checkerboard()
    recommender = recommender_of("bert4rec", FEW, "published:tied_raw_vectors")
    with pytest.raises(InputError, match="n_heads=2: choose a divisor of embedding_size"):
        recommender.fit(split, colours(split.warm, split, width=5), seed=0)


def made(protocol: str, **settings: object) -> tuple[SequenceModule, Items]:
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    recommender = recommender_of("bert4rec", settings, protocol)
    items = OwnItems(len(split.warm), recommender, 0)
    return recommender.module(items, split, 0), items


def test_validation_hides_held_out_tracks_and_reads_no_history() -> None:
    module, items = made("published:masked_validation", dropout=0.0, mask_probability=0.5)
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    module.eval()
    state = module.generator.get_state()
    with torch.no_grad():
        ((name, value),) = module.validate(split).items()
        again = module.validate(split)[name]
        table = items().detach()
    assert name == "minus validation loss"
    assert again != value  # new masks in each epoch
    assert torch.equal(module.generator.get_state(), state)  # training's draws are left alone
    # Each user held two tracks out: one is hidden, the other all that is read. Over both choices:
    losses = {}
    for user in np.unique(split.val.user):
        both = torch.from_numpy(
            split.column[split.val.track[split.val.user == user]].astype(np.int64)
        )
        assert len(both) == 2
        for hidden in (0, 1):
            masked = torch.tensor([[hidden == 0, hidden == 1]])
            with torch.no_grad():
                out = module.encoder(
                    table[both][None],
                    padding=torch.zeros(1, 2, dtype=torch.bool),
                    masked=masked,
                    wanted=torch.tensor([[hidden]]),
                )[0, 0]
            logits = table @ out
            losses[user, hidden] = float(logits.logsumexp(0) - logits[both[hidden]])
    users = np.unique(split.val.user)
    low = np.mean([min(losses[user, 0], losses[user, 1]) for user in users])
    high = np.mean([max(losses[user, 0], losses[user, 1]) for user in users])
    assert low - 1e-5 <= -value <= high + 1e-5
    assert high - low < 0.5  # narrow enough that another input would not do


def test_one_held_out_track_is_too_few_to_hide_one() -> None:
    split = checkerboard()
    first = np.unique(split.hot_test.user, return_index=True)[1]
    few = replace(
        split.hot_test, **{name: part[first] for name, part in vars(split.hot_test).items()}
    )
    split = replace(split, val=few)
    recommender = recommender_of("bert4rec", FEW, "published:masked_validation")
    module = recommender.module(OwnItems(len(split.warm), recommender, 0), split, 0)
    assert module.validate(split) == {}


@pytest.mark.parametrize(("max_length", "places"), [(300, 50), (18, 3), (4, 2)])
def test_predictions_read_a_sixth_of_the_window(max_length: int, places: int) -> None:
    recommender = recommender_of(
        "bert4rec", {"max_length": max_length}, "published:short_prediction"
    )
    assert recommender.prediction_length == places
    assert recommender_of("bert4rec", {"max_length": max_length}).prediction_length == max_length


def test_a_short_prediction_is_that_of_the_recent_plays() -> None:
    module, _ = made("published:short_prediction", max_length=18, dropout=0.0)
    other, _ = made("corrected", max_length=18, dropout=0.0)
    other.load_state_dict(module.state_dict())
    module.eval()
    other.eval()
    length = other.plays.length.copy()
    users = np.arange(len(length))
    with torch.no_grad():
        short, whole = module.encode_users(users), other.encode_users(users)
        other.plays.length = np.minimum(length, 2)  # of 3 places the last is the mask's
        recent = other.encode_users(users)
    torch.testing.assert_close(short, recent)
    longer = length > 2
    assert longer.any()
    assert not torch.allclose(short[longer], whole[longer], atol=1e-3)
