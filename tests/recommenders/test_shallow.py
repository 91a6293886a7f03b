import numpy as np
import pytest
import scipy.sparse as sp
import torch
from recommenders.conformance import Conformance, checkerboard, colours

from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.recommenders.sampling import Sampler
from mrs.recommenders.shallow import (
    Shallow,
    ShallowIds,
    ShallowModule,
    confidence,
    dots,
    hinge_loss,
    sorting,
)

QUICK = {"batch_size": 32, "learning_rate": 0.003, "max_epochs": 10}


def clear_colours(positions: np.ndarray, split: Split) -> np.ndarray:
    """Vectors of width 32 that all tell the colour, so that components keep the noise small."""
    colour = colours(positions, split, 2)[:, :1]
    noise = np.random.default_rng(4).normal(0, 0.05, (len(positions), 32))
    return (colour + noise).astype(np.float32)


class Clear(Conformance):
    def read(self, split: Split) -> np.ndarray:
        return clear_colours(split.warm, split)

    def read_cold(self, split: Split) -> np.ndarray:
        return clear_colours(split.cold, split)


class TestShallow(Clear):
    recommender = Shallow(**QUICK)


class TestShallowAgainstTracks(Clear):
    recommender = Shallow(**QUICK, negatives="tracks", confidence=True, n_components=None)


class TestShallowIds(Conformance):
    recommender = ShallowIds(batch_size=32, learning_rate=0.01, max_epochs=60, embedding_size=64)

    def test_checkerboard(self) -> None:
        """All that was played outranks the other colour.

        What was left out is drawn as a negative like the other colour, and a random start knows
        no difference.
        """
        split, fitted = self.fit()
        scores = fitted.users() @ fitted.items().T
        for user, played in enumerate(split.matrix.toarray() > 0):
            other = (np.arange(len(split.warm)) + user) % 2 == 1
            assert scores[user, played].min() > scores[user, other].max() + 0.05


def module(split: Split | None = None, **settings: object) -> ShallowModule:
    """A module on the checkerboard with tables of width 3."""
    split = split or checkerboard()
    built = ShallowModule(split, Shallow(**settings), seed=0)
    draw = np.random.default_rng(1).normal
    users, items = (draw(size=(n, 3)).astype(np.float32) for n in split.matrix.shape)
    built.set_tables(users, items, train_users=True, train_items=True)
    return built


def test_hinge_loss_by_hand() -> None:
    # max(0, .2 - .5 + .4) = .1 and max(0, .2 - .5 + .1) = 0; max(0, .2 - 0 + .3) = .5 and .2
    scores = torch.tensor([[0.5, 0.4, 0.1], [0.0, 0.3, 0.0]])
    assert float(hinge_loss(scores, 0.2, torch.ones(2))) == pytest.approx(0.8 / 4)
    weighted = hinge_loss(scores, 0.2, torch.tensor([1.0, 3.0]))
    assert float(weighted) == pytest.approx((0.1 + 3 * 0.7) / 4)


def test_confidence_weights() -> None:
    count = np.array([0, 1, 9])
    assert confidence(count, 3) == pytest.approx([1, 1 + 2 * np.log(2), 1 + 2 * np.log(10)])
    assert confidence(None, 2).tolist() == [1, 1]


def test_confidence_reads_the_counts_of_each_pair() -> None:
    split = checkerboard()
    counts = np.arange(len(split.train), dtype=np.int32)
    train = Interactions(split.train.user, split.train.track, split.train.timestamp, counts)
    split = Split(**{**vars(split), "train": train})
    built = module(split, confidence=True)
    batch = built.batch(np.array([3, 40]))
    order = np.argsort(built.anchor[[3, 40]], kind="stable")
    assert batch.weight.numpy() == pytest.approx((1 + 2 * np.log(np.array([4, 41])))[order])


@pytest.mark.parametrize("n_columns", [6, 9])
def test_dots_and_their_gradients_equal_the_products_written_out(n_columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    columns = torch.randint(7, (4, n_columns), generator=generator)
    start = [torch.randn(n, 5, generator=generator) for n in (4, 7)]
    weights = torch.randn(4, n_columns, generator=generator)
    rows, table = (part.clone().requires_grad_() for part in start)
    plain_rows, plain_table = (part.clone().requires_grad_() for part in start)
    scores = dots(rows, table, columns, columns.flatten().argsort(stable=True))
    plain = (plain_rows[:, None] * plain_table[columns]).sum(dim=2)
    assert torch.allclose(scores, plain, atol=1e-6)
    (scores * weights).sum().backward()
    (plain * weights).sum().backward()
    assert torch.allclose(rows.grad, plain_rows.grad, atol=1e-5)
    assert torch.allclose(table.grad, plain_table.grad, atol=1e-5)


@pytest.mark.parametrize("negatives", ["users", "tracks"])
def test_loss_equals_the_one_written_out(negatives: str) -> None:
    built = module(negatives=negatives, n_negatives=4)
    batch = built.batch(np.arange(10))
    users, items = (torch.from_numpy(part) for part in built.factors())
    anchors, others = (items, users) if negatives == "users" else (users, items)
    scores = (anchors[batch.anchor][:, None] * others[batch.others]).sum(dim=2)
    expected = [max(0.0, 0.2 - float(s[0]) + float(n)) for s in scores for n in s[1:]]
    assert built.loss(batch).item() == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize("negatives", ["users", "tracks"])
def test_an_epoch_passes_every_pair_once_and_negatives_never_met(negatives: str) -> None:
    split = checkerboard()
    built = module(split, negatives=negatives, batch_size=7)
    matrix = split.matrix.toarray()
    met = matrix.T if negatives == "users" else matrix
    passed = []
    for anchor, others, *_ in built.batches(0):
        assert met[anchor, others[:, 0]].all()
        assert not met[anchor[:, None], others[:, 1:]].any()
        passed += list(zip(anchor.tolist(), others[:, 0].tolist(), strict=True))
    assert sorted(passed) == sorted(zip(*(part.tolist() for part in met.nonzero()), strict=True))


def test_negatives_are_uniform_among_the_rest() -> None:
    met = sp.csr_matrix(np.array([[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0]], dtype=np.float32))
    drawn = Sampler(met).draw(np.array([0, 1]), 3000, np.random.default_rng(0))
    assert np.bincount(drawn[0], minlength=6) == pytest.approx([0, 0, 1000, 0, 1000, 1000], abs=100)
    assert set(drawn[1]) == {5}


def test_anchors_that_met_everybody_have_no_negatives() -> None:
    met = sp.csr_matrix(np.array([[1, 1], [0, 1]], dtype=np.float32))
    assert Sampler(met).has_negatives.tolist() == [False, True]


def test_one_listener_alone_has_negative_tracks_but_no_negative_users() -> None:
    split = checkerboard()
    first = split.train.user == 0
    alone = Interactions(*(part[first] for part in vars(split.train).values()))
    lonely = Split(**{**vars(split), "train": alone, "users": split.users[:1]})
    vectors = colours(split.warm, split)
    with pytest.raises(InputError, match="no train pair has negative users: .* to tracks"):
        Shallow().fit(lonely, vectors, seed=0)
    fitted = Shallow(negatives="tracks", max_epochs=2).fit(lonely, vectors, seed=0)
    assert np.isfinite(fitted.users()).all()


@pytest.mark.parametrize("train_users", [False, True])
@pytest.mark.parametrize("train_items", [False, True])
def test_only_the_chosen_tables_leave_their_start(train_users: bool, train_items: bool) -> None:
    """Through the fitted layer, a frozen table gives the factors; users start at the mean."""
    split = checkerboard()
    vectors = colours(split.warm, split)
    recommender = Shallow(
        **QUICK | {"max_epochs": 3}, train_users=train_users, train_items=train_items
    )
    fitted = recommender.fit(split, vectors, seed=0)
    components = (vectors - fitted.mean) * fitted.scale @ fitted.rotation
    matrix = split.matrix.toarray()
    means = matrix @ components / matrix.sum(axis=1, keepdims=True)
    for start, factors, trained in (
        (means, fitted.users(), train_users),
        (components, fitted.items(), train_items),
    ):
        output = np.maximum(start @ fitted.weight.T + fitted.bias, 0)
        expected = output / np.linalg.norm(output, axis=1, keepdims=True)
        assert np.allclose(factors, expected, atol=1e-5) != trained


def test_factors_have_length_one() -> None:
    split = checkerboard()
    fitted = Shallow(**QUICK).fit(split, colours(split.warm, split), seed=0)
    for factors in (fitted.users(), fitted.items(), fitted.encode(colours(split.cold, split))):
        assert np.allclose(np.linalg.norm(factors, axis=1), 1, atol=1e-6)


def test_sorting() -> None:
    values = np.random.default_rng(0).integers(50, size=300)
    assert np.array_equal(sorting(values, 50), np.argsort(values, kind="stable"))
