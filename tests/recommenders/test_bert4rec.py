import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from recommenders.conformance import N_WARM, Conformance, checkerboard, colours, pairs
from torch.nn import functional

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders import make_recommender
from mrs.recommenders.bert4rec import (
    BERT4Rec,
    BERT4RecIds,
    ContentItems,
    Histories,
    OwnItems,
    SequenceModule,
    draw_masked,
)
from mrs.recommenders.encoder import Encoder, sampled_softmax_loss, softmax_loss

TINY: dict[str, Any] = {
    "embedding_size": 8,
    "n_layers": 1,
    "feedforward_size": 16,
    "max_length": 8,
    "dropout": 0.0,
    "learning_rate": 0.02,
    "batch_size": 12,
}


class OnALargeBoard(Conformance):
    """Asks the checkerboard's question on a larger one whose gaps are drawn.

    The shared board leaves the same tracks out for all who share a history: one who reads whole
    histories rightly learns that these never come.
    """

    def test_checkerboard(self) -> None:
        split, left_out = large_board()
        longer = replace(self.recommender, batch_size=32, max_epochs=30, patience=30)
        fitted = longer.fit(split, self.read(split), seed=0)
        scores = fitted.users() @ fitted.items().T
        colour = np.arange(N_WARM) % 2 == np.arange(len(scores))[:, None] % 2
        worst = np.where(left_out, scores, np.inf).min(axis=1)
        assert (worst > np.where(colour, -np.inf, scores).max(axis=1)).all()


class TestBERT4Rec(OnALargeBoard):
    recommender = BERT4Rec(**TINY, max_epochs=5, patience=5, residual=False)


class TestBERT4RecIds(OnALargeBoard):
    recommender = BERT4RecIds(**TINY, max_epochs=5, patience=5)


def large_board(n_users: int = 96) -> tuple[Split, np.ndarray]:
    """Users play six of the eight tracks of their colour in any order; which two are left out."""
    rng = np.random.default_rng(0)
    split = checkerboard()
    order = np.array([rng.permutation(8) * 2 + user % 2 for user in range(n_users)])
    played = pairs(np.repeat(np.arange(n_users), 6), split.warm[order[:, :6].ravel()])
    left_out = np.zeros((n_users, N_WARM), dtype=bool)
    np.put_along_axis(left_out, order[:, 6:], True, axis=1)
    return replace(split, users=np.arange(n_users), train=played), left_out


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    made = Encoder(8, max_length=6, n_layers=2, n_heads=2, feedforward_size=16, dropout=0.1)
    return made.eval()


def encode(encoder: Encoder, rows: torch.Tensor, n_padding: int, at: list[int]) -> torch.Tensor:
    """Encode one history whose last place is masked, at some of its positions."""
    padding = torch.arange(len(rows))[None] < n_padding
    masked = torch.arange(len(rows))[None] == len(rows) - 1
    with torch.no_grad():
        wanted = torch.tensor([at])
        return encoder(rows[None], padding=padding, masked=masked, wanted=wanted)[0]


def test_padding_changes_nothing(encoder: Encoder) -> None:
    rows = torch.randn(6, 8)
    plain = encode(encoder, rows[2:], 0, [0, 3])
    assert torch.allclose(encode(encoder, rows, 2, [2, 5]), plain, atol=1e-6)
    other = torch.cat([100 * torch.ones(2, 8), rows[2:]])
    assert torch.equal(encode(encoder, other, 2, [2, 5]), encode(encoder, rows, 2, [2, 5]))
    assert not torch.allclose(encode(encoder, rows, 0, [2, 5]), plain, atol=1e-2)


def test_the_masked_track_is_not_read(encoder: Encoder) -> None:
    rows = torch.randn(4, 8)
    before = encode(encoder, rows, 0, [0, 3])
    rows[3] = 100
    assert torch.equal(encode(encoder, rows, 0, [0, 3]), before)
    rows[0] = 100
    assert not torch.allclose(encode(encoder, rows, 0, [3]), before[1:], atol=1e-3)


def test_wanted_positions_are_those_of_the_whole_sequence(encoder: Encoder) -> None:
    rows = torch.randn(6, 8)
    whole = encode(encoder, rows, 1, [0, 1, 2, 3, 4, 5])
    assert torch.allclose(encode(encoder, rows, 1, [4, 2]), whole[[4, 2]], atol=1e-6)


def test_the_encoder_is_torchs_pre_norm_transformer(encoder: Encoder) -> None:
    """The layers equal torch.nn.TransformerEncoderLayer with the same weights."""
    state = rows = torch.randn(1, 6, 8)
    state = encoder.norm_in(rows + encoder.positions)
    for layer in encoder.layers:
        theirs = torch.nn.TransformerEncoderLayer(
            8, 2, 16, activation="gelu", batch_first=True, norm_first=True
        ).eval()
        attention = theirs.self_attn
        with torch.no_grad():
            pairs_of = [
                (attention.in_proj_weight, [layer.query.weight, layer.key_value.weight]),
                (attention.in_proj_bias, [layer.query.bias, layer.key_value.bias]),
            ]
            for to, parts in pairs_of:
                to.copy_(torch.cat(parts))
        attention.out_proj.load_state_dict(layer.attended.state_dict())
        theirs.linear1.load_state_dict(layer.feedforward[0].state_dict())
        theirs.linear2.load_state_dict(layer.feedforward[2].state_dict())
        theirs.norm1.load_state_dict(layer.norm_attention.state_dict())
        theirs.norm2.load_state_dict(layer.norm_feedforward.state_dict())
        state = theirs(state)
    expected = encoder.projection_out(encoder.norm_out(state))
    nothing = torch.zeros(1, 6, dtype=torch.bool)
    ours = encoder(rows, padding=nothing, masked=nothing, wanted=torch.arange(6)[None])
    assert torch.allclose(ours, expected, atol=1e-5)


def test_softmax_loss_by_hand() -> None:
    """Two rows, three items: ln(e^1 + e^0 + e^2) - 1 and ln(3) - 0, averaged."""
    vectors, items = (
        torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
        torch.tensor([[1.0, 5], [0, 5], [2, 5]]),
    )
    expected = (math.log(math.e + 1 + math.e**2) - 1 + math.log(3)) / 2
    assert float(softmax_loss(vectors, items, torch.tensor([0, 1]))) == pytest.approx(expected)


@pytest.mark.parametrize("block", [1, 4, 10, None])
@pytest.mark.parametrize("size", [1.0, 40.0])
def test_softmax_in_blocks_equals_the_plain_one(block: int | None, size: float) -> None:
    generator = torch.Generator().manual_seed(1)
    vectors, items = (size * torch.randn(n, 5, generator=generator) for n in (10, 30))
    targets = torch.randint(30, (10,), generator=generator)
    losses, gradients = [], []
    for loss_of in (
        lambda v, i: softmax_loss(v, i, targets, block),
        lambda v, i: functional.cross_entropy(v @ i.T, targets),
    ):
        leaves = [part.clone().requires_grad_() for part in (vectors, items)]
        loss = 3 * loss_of(*leaves)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(torch.cat([leaf.grad for leaf in leaves]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-5 * size)


def test_sampled_softmax() -> None:
    """With every item drawn it is the full one; with one negative, it stands for all others."""
    generator = torch.Generator().manual_seed(2)
    vectors, items = (torch.randn(n, 4, generator=generator) for n in (6, 9))
    targets = torch.randint(9, (6,), generator=generator)
    full = float(softmax_loss(vectors, items, targets))
    everything = torch.randperm(9, generator=generator)
    assert float(sampled_softmax_loss(vectors, items, targets, everything)) == pytest.approx(full)
    one, items = torch.tensor([[1.0]]), torch.tensor([[2.0], [0.5], [7.0]])
    drawn = sampled_softmax_loss(one, items, torch.tensor([0]), torch.tensor([0, 1]))
    expected = math.log(math.e**2 + 2 * math.e**0.5) - 2
    assert float(drawn) == pytest.approx(expected, rel=1e-6)


def histories() -> Histories:
    """User 0 played columns 4 3 2 1 0, user 1 column 2, user 2 columns 0 1 (warm: 10 20 ... 50)."""
    user = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    track = np.array([50, 40, 30, 20, 10, 30, 10, 20])
    column = np.full(51, -1)
    column[[10, 20, 30, 40, 50]] = range(5)
    return Histories(pairs(user, track), column, 3)


def test_the_most_recent_tracks_in_order() -> None:
    tracks, padding = histories().windows(np.array([0, 1, 2]), 3)
    assert tracks.tolist() == [[2, 1, 0], [0, 0, 2], [0, 0, 1]]
    assert padding.tolist() == [[False] * 3, [True, True, False], [True, False, False]]
    tracks, padding = histories().windows(np.array([2, 1]), 3)
    assert tracks.tolist() == [[0, 1], [0, 2]]
    assert padding.tolist() == [[False, False], [True, False]]


def test_drawn_windows_are_successive_tracks_anywhere() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [histories().windows(np.array([0, 2]), 3, generator) for _ in range(60)]
    assert {tuple(tracks[0].tolist()) for tracks, _ in drawn} == {(4, 3, 2), (3, 2, 1), (2, 1, 0)}
    assert {tuple(tracks[1].tolist()) for tracks, _ in drawn} == {(0, 0, 1)}
    assert all(padding.tolist() == [[False] * 3, [True, False, False]] for _, padding in drawn)


def test_exactly_the_share_is_masked_and_never_padding() -> None:
    lengths = torch.tensor([20, 10, 8, 3, 2])
    padding = torch.arange(20)[None] < (20 - lengths)[:, None]
    generator = torch.Generator().manual_seed(0)
    seen = torch.zeros(padding.shape, dtype=torch.bool)
    for _ in range(200):
        wanted, kept = draw_masked(padding, 0.2, generator)
        assert kept.sum(dim=1).tolist() == [4, 2, 2, 1, 1]
        masked = torch.zeros_like(padding).scatter_(1, wanted, kept)
        assert masked.sum(dim=1).tolist() == [4, 2, 2, 1, 1]
        seen |= masked
    assert torch.equal(seen, ~padding)
    _, kept = draw_masked(padding, 0.9, generator)
    assert kept.sum(dim=1).tolist() == [18, 9, 7, 2, 1]


def module(settings: BERT4RecIds) -> SequenceModule:
    split = checkerboard()
    return SequenceModule(OwnItems(len(split.warm), settings, 0), split, settings, 0)


def test_the_masked_loss_written_out() -> None:
    """The loss of a batch is the mean of -log softmax at each hidden position, one by one."""
    made = module(BERT4RecIds(**TINY))
    made.eval()
    made.generator.manual_seed(7)
    loss = float(made.loss(torch.tensor([0, 3])).detach())
    made.generator.manual_seed(7)
    tracks, padding = made.plays.windows(np.array([0, 3]), 8, made.generator)
    wanted, kept = draw_masked(padding, 0.2, made.generator)
    terms = []
    for row in range(2):
        hidden = wanted[row][kept[row]]
        masked = torch.zeros(1, tracks.shape[1], dtype=torch.bool)
        masked[0, hidden] = True
        own = ~padding[row]
        encoded = made.encoder(
            made.items.table[tracks[row]][own][None],
            padding=torch.zeros(1, int(own.sum()), dtype=torch.bool),
            masked=masked[:, own],
            wanted=(hidden - padding[row].sum())[None],
        )[0]
        chances = (encoded @ made.items.table.T).softmax(dim=1)
        targets = tracks[row][hidden]
        terms += [-math.log(float(p[t].detach())) for p, t in zip(chances, targets, strict=True)]
    assert loss == pytest.approx(np.mean(terms), rel=1e-5)


def of_lengths(length: np.ndarray, settings: BERT4RecIds) -> SequenceModule:
    """A module over users who played so many tracks, the first of 40."""
    split = checkerboard()
    user = np.repeat(np.arange(len(length)), length)
    track = np.concatenate([np.arange(n) for n in length])
    split = replace(
        split,
        tracks=np.arange(40),
        users=np.arange(len(length)),
        warm=np.arange(40),
        train=pairs(user, track),
    )
    return SequenceModule(OwnItems(40, settings, 0), split, settings, 0)


def test_an_epoch_has_every_listener_of_two_tracks_once_and_little_padding() -> None:
    length = np.random.default_rng(0).integers(1, 41, 400)
    made = of_lengths(length, BERT4RecIds(**TINY | {"max_length": 30}))
    batches = [batch.numpy() for batch in made.batches(0)]
    assert sorted(np.concatenate(batches)) == np.flatnonzero(length > 1).tolist()
    assert {len(batch) for batch in batches} <= {11, 12}
    windows = [length[batch].clip(max=30) for batch in batches]
    read = sum(window.sum() for window in windows)
    computed = sum(window.max() * len(window) for window in windows)
    assert read / computed > 0.85  # in batches of any lengths: about 0.7
    assert [batch.tolist() for batch in made.batches(1)] != [batch.tolist() for batch in batches]
    again = of_lengths(length, BERT4RecIds(**TINY | {"max_length": 30}))
    assert all(np.array_equal(a, b) for a, b in zip(again.batches(0), batches, strict=True))


def test_batches_do_not_come_in_the_order_of_their_lengths() -> None:
    length = np.random.default_rng(0).integers(2, 41, 400)
    made = of_lengths(length, BERT4RecIds(**TINY | {"max_length": 40}))
    means = np.array([length[batch].mean() for epoch in range(9) for batch in made.batches(epoch)])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.25


def test_users_do_not_depend_on_who_is_encoded_beside_them() -> None:
    made = module(BERT4RecIds(**TINY)).eval()
    with torch.no_grad():
        together = made.encode_users(np.arange(12))
        for user in (0, 5, 11):  # user 11 has one track
            alone = made.encode_users(np.array([user]))
            assert torch.allclose(alone[0], together[user], atol=1e-5)


def test_user_factor_is_the_encoding_of_history_then_mask() -> None:
    made = module(BERT4RecIds(**TINY | {"max_length": 4})).eval()
    split = checkerboard()
    columns = np.searchsorted(split.warm, split.train.track[split.train.user == 2])[-3:]
    rows = torch.cat([made.items.table[torch.from_numpy(columns)], torch.zeros(1, 8)]).detach()
    with torch.no_grad():
        factor = made.encode_users(np.array([2]))[0]
    assert torch.allclose(factor, encode(made.encoder, rows, 0, [3])[0], atol=1e-6)


@pytest.mark.parametrize("n_components", [3, None])
@pytest.mark.parametrize("residual", [False, True])
def test_the_residual_is_a_train_tracks_own(residual: bool, n_components: int | None) -> None:
    """Without it train tracks encode as fitted; with it only their own offset stands between."""
    split = checkerboard()
    vectors = colours(split.warm, split)
    settings = BERT4Rec(**TINY, max_epochs=5, residual=residual, n_components=n_components)
    fitted = settings.fit(split, vectors, seed=0)
    again = fitted.encode(vectors)
    assert np.allclose(again, fitted.items(), atol=1e-5) != residual
    # Two tracks that sound the same are the same to a listener who has heard neither.
    same = fitted.encode(np.repeat(vectors[:1], 2, axis=0))
    assert np.array_equal(same[0], same[1])
    assert np.allclose(same[0], again[0], atol=1e-6)


def test_residuals_start_at_zero() -> None:
    components = np.ones((4, 3), dtype=np.float32)
    items = ContentItems(components, BERT4Rec(embedding_size=8), 0)
    bare = ContentItems(components, BERT4Rec(embedding_size=8, residual=False), 0)
    assert torch.equal(items(), bare())
    assert [name for name, _ in bare.named_parameters()] == ["projection"]


def test_sampled_softmax_trains() -> None:
    settings = BERT4RecIds(**TINY, max_epochs=30, patience=30, softmax="sampled", n_negatives=6)
    curve = settings.fit(checkerboard(), seed=0).curve
    assert curve[-1]["loss"] < curve[0]["loss"] - 0.3


def test_nobody_with_two_tracks() -> None:
    split = replace(checkerboard(), train=pairs(np.arange(12), np.arange(12)))
    with pytest.raises(InputError, match="no user has two train tracks"):
        BERT4RecIds(**TINY).fit(split, seed=0)


def test_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(InputError, match="n_heads=3: choose a divisor of embedding_size"):
        make_recommender("bert4rec", {"n_heads": 3})
