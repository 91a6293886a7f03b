from dataclasses import replace

import numpy as np
import pytest
import torch
from recommenders.conformance import checkerboard, colours

from mrs.published.deviations import backbone_of, recommender_of
from mrs.published.deviations.bimodal import one_way_loss
from mrs.recommenders.bimodal import FittedBimodal
from mrs.recommenders.factors import normalise

FEW = {"embedding_size": 5, "max_epochs": 3}
T, SIGMA = 0.2, 0.5


def views(n: int = 6) -> list[torch.Tensor]:
    generator = np.random.default_rng(0)
    return [torch.from_numpy(normalise(generator.normal(0, 1, (n, 4)))) for _ in range(2)]


def written_out(name: str, a: torch.Tensor, b: torch.Tensor) -> float:
    """The sum over content anchors, term by term."""
    agreement = np.array([np.exp(float(x @ y) / SIGMA) for x, y in zip(a, b, strict=True)])
    total = 0.0
    for i in range(len(a)):
        weight = 2 - agreement[i] / agreement.mean() if name.endswith("w") else 1.0
        others = [j for j in range(len(a)) if j != i]
        negatives = sum(np.exp(float(a[i] @ b[j]) / T) for j in others)
        if not name.startswith("adcl"):
            negatives += sum(np.exp(float(a[i] @ a[j]) / T) for j in others)
        total += -weight * float(a[i] @ b[i]) / T + np.log(negatives)
    return total / len(a)


@pytest.mark.parametrize("name", ["adcl", "adclw", "dclw"])
def test_one_way_loss_equals_the_one_written_out(name: str) -> None:
    a, b = views()
    found = float(one_way_loss(name, a, b, temperature=T, sigma=SIGMA))
    assert found == pytest.approx(written_out(name, a, b), abs=1e-5)
    assert found != pytest.approx(written_out(name, b, a), abs=1e-3)  # the views are not alike


def test_gradients_of_the_one_way_loss_are_those_of_the_formula() -> None:
    a, b = views()
    steps = []
    for written in (False, True):
        x, y = (part.clone().requires_grad_() for part in (a, b))
        if written:
            cosines = x @ y.T / T
            off = ~torch.eye(len(x), dtype=torch.bool)
            logs = cosines.masked_fill(~off, -torch.inf).logsumexp(dim=1)
            loss = (logs - cosines.diagonal()).mean()
        else:
            loss = one_way_loss("adcl", x, y, temperature=T, sigma=SIGMA)
        steps.append(torch.autograd.grad(loss, (x, y)))
    for mine, expected in zip(*steps, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("protocol", "loss", "stands_for"),
    [
        ("published:adcl_one_way", "adclw", "adclw"),
        ("published:sdclw_one_way", "sdclw", "dclw"),
    ],
)
def test_which_loss_goes_one_way(protocol: str, loss: str, stands_for: str) -> None:
    a, b = views()
    recommender = recommender_of("bimodal_content", {"loss": loss, "temperature": T}, protocol)
    assert float(recommender.contrast(a, b)) == pytest.approx(
        written_out(stands_for, a, b), abs=1e-5
    )


def test_other_losses_stay_two_way() -> None:
    a, b = views()
    found = [
        float(recommender_of("bimodal_content", {"loss": "dcl"}, protocol).contrast(a, b))
        for protocol in ("corrected", "published:adcl_one_way")
    ]
    assert found[0] == found[1]


def fitted(name: str, protocol: str) -> FittedBimodal:
    split = checkerboard()
    recommender = recommender_of(name, FEW, protocol)
    backbone = backbone_of(recommender).fit(split, seed=0)
    found = recommender.fit(split, colours(split.warm, split), backbone=backbone, seed=0)
    assert isinstance(found, FittedBimodal)
    return found


def test_raw_outputs_are_those_that_training_scaled() -> None:
    clean, raw = (fitted("bimodal_content", p) for p in ("corrected", "published:raw_inference"))
    assert clean.curve == raw.curve
    lengths = np.linalg.norm(raw.content, axis=1)
    assert np.ptp(lengths) > 0.01
    np.testing.assert_allclose(normalise(raw.content), clean.content, atol=1e-5)
    np.testing.assert_allclose(normalise(raw.collaborative), clean.collaborative, atol=1e-5)


def test_raw_spaces_and_means_of_histories_by_hand() -> None:
    split = checkerboard()
    average = fitted("bimodal_average", "published:raw_inference")
    expected = (average.content + average.collaborative) / 2
    np.testing.assert_allclose(average.items(), expected, atol=1e-6)
    played = split.matrix.toarray()
    means = played @ expected / played.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(average.users(), means, atol=1e-5)
    content = fitted("bimodal_content", "published:raw_inference")
    encoded = content.encode(colours(split.warm, split))
    np.testing.assert_allclose(encoded, content.items(), atol=1e-5)
    assert np.array_equal(average.content, content.content)  # one fit for all spaces


def test_the_raw_backbone_is_the_same_fit_before_its_rows_are_scaled() -> None:
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    clean, raw = (
        backbone_of(recommender_of("bimodal_content", {}, protocol)).fit(split, seed=0)
        for protocol in ("corrected", "published:raw_backbone")
    )
    assert clean.curve == raw.curve
    assert np.ptp(np.linalg.norm(raw.items(), axis=1)) > 1e-3
    np.testing.assert_allclose(normalise(raw.items()), clean.items(), atol=1e-6)
    read = recommender_of("bimodal_content", {}, "published:raw_backbone").targets(raw.items())
    assert np.array_equal(read, raw.items())


def test_other_deviations_leave_the_backbone_alone() -> None:
    names = ["corrected", "published:raw_inference", "published:training_loss_stop"]
    models = [recommender_of("bimodal_content", {}, protocol) for protocol in names]
    kinds = {type(backbone_of(model)) for model in models}
    assert len(kinds) == 1


def test_without_validation_the_training_loss_is_watched() -> None:
    split = checkerboard()
    split = replace(split, val=split.hot_test)
    assert len(split.without_validation().val) == 0
    assert len(split.val) > 0
    backbone = backbone_of(recommender_of("bimodal_content", {}, "corrected")).fit(split, seed=0)
    names = []
    for protocol in ("corrected", "published:training_loss_stop"):
        recommender = recommender_of("bimodal_content", FEW, protocol)
        found = recommender.fit(split, colours(split.warm, split), backbone=backbone, seed=0)
        names.append(set(found.curve[0]))
    assert names == [{"epoch", "loss", "ndcg@50"}, {"epoch", "loss"}]
