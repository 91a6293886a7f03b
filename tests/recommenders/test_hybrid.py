from dataclasses import replace

import numpy as np
import pytest
import torch
from recommenders.conformance import Conformance, checkerboard, colours
from torch.nn.functional import normalize

from mrs.recommenders.hybrid import Hybrid, HybridModule
from mrs.recommenders.pca import unit_components
from mrs.recommenders.projection import Projection

TINY = Hybrid(hidden_size=8, learning_rate=0.02, max_epochs=100, patience=20)


class TestHybrid(Conformance):
    recommender = TINY


def test_projection_written_out() -> None:
    module = Projection(2, 3, 2, torch.Generator().manual_seed(0))
    first, first_bias, second, second_bias = (part.detach().numpy() for part in module.parameters())
    x = np.array([[0.5, -2.0], [3.0, 1.0]], dtype=np.float32)
    out = np.maximum(x @ first.T + first_bias, 0) @ second.T + second_bias
    expected = out / np.sqrt((out**2).sum(axis=1, keepdims=True))
    assert np.allclose(module(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-6)
    arrays = module.arrays()
    assert np.array_equal(arrays["weight_1"], first)
    assert np.array_equal(arrays["bias_2"], second_bias)


def test_start_has_the_spread_of_torchs_linear_layers() -> None:
    module = Projection(400, 300, 200, torch.Generator().manual_seed(0))
    for part, n_inputs in zip(module.parameters(), (400, 400, 300, 300), strict=True):
        assert part.abs().max() <= n_inputs**-0.5
        assert part.std().item() == pytest.approx((3 * n_inputs) ** -0.5, rel=0.1)


@pytest.mark.parametrize("n_components", [3, None])
def test_inputs_have_entries_of_mean_square_one(n_components: int | None) -> None:
    vectors = np.random.default_rng(0).normal(5, [1, 2, 3, 4, 5], (40, 5)).astype(np.float32)
    inputs = unit_components(vectors, n_components)(vectors)
    assert (inputs**2).mean() == pytest.approx(1, rel=1e-4)
    assert inputs.dtype == np.float32


def test_loss_is_elsas_with_the_projected_items() -> None:
    split = checkerboard()
    inputs = colours(split.warm, split)
    module = HybridModule(split.matrix, inputs, TINY, seed=0)
    items = module.projection(torch.from_numpy(inputs))
    batch = torch.tensor([0, 3, 11])
    x = torch.from_numpy(split.matrix.toarray())[batch]
    out = x @ items @ items.T - x
    expected = ((normalize(out) - normalize(x)) ** 2).sum(dim=1).mean()
    assert module.loss(batch).item() == pytest.approx(expected.item(), abs=1e-5)


def test_an_epoch_has_every_user_once() -> None:
    split = checkerboard()
    module = HybridModule(
        split.matrix, colours(split.warm, split), replace(TINY, batch_size=5), seed=0
    )
    batches = list(module.batches(0))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert sorted(torch.cat(batches).tolist()) == list(range(12))


def test_users_are_sums_of_their_tracks() -> None:
    split = checkerboard()
    fitted = TINY.fit(split, colours(split.warm, split), seed=0)
    assert np.allclose(np.linalg.norm(fitted.items(), axis=1), 1, atol=1e-6)
    assert np.allclose(fitted.users(), split.matrix @ fitted.items(), atol=1e-6)


def test_new_tracks_go_to_their_colour() -> None:
    split = checkerboard()
    fitted = TINY.fit(split, colours(split.warm, split), seed=0)
    even, odd = np.eye(5, dtype=np.float32)[0], -np.eye(5, dtype=np.float32)[0]
    scores = fitted.users() @ fitted.encode(np.stack([even, odd])).T
    assert (scores[::2, 0] > scores[::2, 1]).all()
    assert (scores[1::2, 0] < scores[1::2, 1]).all()


def test_cold_tracks_change_nothing_in_a_fit() -> None:
    split = checkerboard()
    without = replace(split, cold=split.cold[:1])
    one, other = (TINY.fit(s, colours(split.warm, split), seed=0) for s in (split, without))
    assert np.array_equal(one.items(), other.items())
    assert np.array_equal(one.weight_1, other.weight_1)
    assert len(one.items()) == len(split.warm)
