import numpy as np
import pytest

from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.recommenders.cards import Range, cards
from mrs.study.search import groups
from mrs.study.study import Study


def study(*recommenders: object, **settings: object) -> Study:
    return Study(title="t", recommenders=list(recommenders), **settings)  # type: ignore[arg-type]


def test_trial_0_is_the_present_and_the_others_are_seeded() -> None:
    (group,) = groups(study({"hybrid": {"hidden_size": 64}}))
    assert group.values(0, seed=5) == {"learning_rate": 0.01, "hidden_size": 64}
    assert group.values(3, seed=5) == group.values(3, seed=5)
    draws = [group.values(trial, seed=0)["learning_rate"] for trial in range(1, 30)]
    assert len(set(draws)) > 25
    assert group.values(3, seed=5) != group.values(3, seed=6)
    assert {group.values(trial, seed=0)["hidden_size"] for trial in range(1, 30)} == {32, 64, 128}


def test_draws_stay_in_their_range() -> None:
    rng = np.random.default_rng(0)
    rates = [Range(log_uniform=(0.001, 0.1)).draw(rng, 0.5) for _ in range(2000)]
    assert min(rates) >= 0.001
    assert max(rates) <= 0.1
    # Log-uniform: the middle of the logarithms, 0.01, halves them.
    assert np.mean(np.array(rates) < 0.01) == pytest.approx(0.5, abs=0.04)
    shares = [Range(uniform=(0.1, 0.4)).draw(rng, 0) for _ in range(2000)]
    assert (min(shares), max(shares)) == (0.1, 0.4)
    assert np.mean(shares) == pytest.approx(0.25, abs=0.01)
    assert {Range(choice=("a", "b")).draw(rng, "c") for _ in range(20)} == {"a", "b"}
    assert {Range(times=(0.4, 1, 2)).draw(rng, 5) for _ in range(50)} == {2, 5, 10}


def test_one_set_of_values_for_a_family() -> None:
    found = groups(
        study(
            "knn",
            {"bimodal_content": {"embedding_size": 32}},
            {"bimodal_average": {"embedding_size": 32}},
            {"bimodal_content": {"embedding_size": 64}},
            "popularity",
            "als",
        )
    )
    assert [group.name for group in found] == [
        "bimodal-embedding_size-32",
        "bimodal-embedding_size-64",
        "als",
    ]
    first = found[0]
    assert [variant.name for variant in first.variants] == ["bimodal_content", "bimodal_average"]
    assert first.cells(("hot", "cold")) == [
        ("bimodal_content", "hot"),
        ("bimodal_content", "cold"),
        ("bimodal_average", "hot"),
    ]
    assert groups(study("als", scenarios=["cold"])) == []
    as_published = {"hybrid": {"protocol": "published"}}
    assert [group.name for group in groups(study("hybrid", as_published))] == ["hybrid"]


SEARCHED = dict.fromkeys(
    kind.family or name for name, kind in RECOMMENDERS.items() if cards()[name].search
)


@pytest.mark.parametrize("family", SEARCHED)
def test_spaces_name_hyper_parameters_and_make_valid_recommenders(family: str) -> None:
    names = [name for name, kind in RECOMMENDERS.items() if family in (name, kind.family)]
    assert len({repr(cards()[name].search) for name in names}) == 1
    (group,) = groups(study(*names))
    for trial in range(40):
        made = make_recommender(names[0], group.settings | group.values(trial, 0)).settings()
        assert made["max_epochs"] == group.settings["max_epochs"]
        for name, where in group.space.items():
            if where.times:
                assert 2 <= made[name] <= 2 * group.settings[name]
