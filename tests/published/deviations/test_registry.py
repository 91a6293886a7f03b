"""Protocols by name, and the keys of runs under them."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from specs import make_spec

from mrs.errors import InputError
from mrs.published.deviations import deviations_of, recommender_of
from mrs.published.deviations.registry import DEVIATIONS
from mrs.recommenders import RECOMMENDERS
from mrs.study.spec import run_key

# Made before there were protocols: records under these keys must stay valid.
CORRECTED_KEYS = {
    "knn": "619c5f8cc50f8d690aac",
    "shallow": "a63e62bdef475d7ef07d",
    "bimodal_content": "e068d41c88daca81d2fa",
    "hybrid": "a5a612d7a6e63ed15b65",
    "bert4rec": "ae500d76fbbc3ef67917",
    "elsa": "3cc533549ec197b28ef2",
    "shallow_ids": "6f2975e3073bd7dd92f3",
}
PAIRS = [(name, of) for name, found in DEVIATIONS.items() for of in found.of]


class World:
    """A dataset of which a key takes names and digests alone."""

    spec = name = "world"
    knows_artists = True
    generated = True
    folder = Path("world")

    def backends(self) -> list[str]:
        return ["mert"]

    def card(self, backend: str) -> None:
        return None

    def truth(self, name: str) -> bool:
        return True

    def split_name(self, name: str | None) -> str:
        return "temporal"

    def split_digest(self, name: str, digests: Any) -> str:
        return "the split"

    def validates_cold(self, name: str) -> bool:
        return False

    def vector_digest(self, backend: str, digests: Any) -> str:
        return "the vectors"

    def truth_digest(self, name: str, digests: Any) -> str:
        return "the truth"


def key(recommender: str, protocol: str = "corrected", scenario: str = "") -> str:
    spec = make_spec(
        World(),  # type: ignore[arg-type]
        recommender=recommender,
        scenario=scenario or RECOMMENDERS[recommender].scenarios[0],
        backend="mert",
        seed=1,
        protocol=protocol,
    )
    return run_key(spec, World(), None)  # type: ignore[arg-type]


def test_keys_of_corrected_runs_are_what_they_were() -> None:
    assert {name: key(name) for name in CORRECTED_KEYS} == CORRECTED_KEYS


@pytest.mark.parametrize(("name", "of"), PAIRS)
def test_each_protocol_has_keys_of_its_own(name: str, of: str) -> None:
    protocols = ["corrected", f"published:{name}"]
    if not DEVIATIONS[name].alone:
        protocols.append("published")
    assert len({key(of, protocol) for protocol in protocols}) == len(protocols)


def test_a_raised_version_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key("knn", "published:knn_profiles")
    raised = replace(DEVIATIONS["knn_profiles"], version=2)
    monkeypatch.setitem(DEVIATIONS, "knn_profiles", raised)
    assert key("knn", "published:knn_profiles") != before


def test_corrected_is_the_clean_class() -> None:
    for name, kind in RECOMMENDERS.items():
        assert type(recommender_of(name, {})) is kind


def test_published_is_all_that_concerns_a_recommender_but_what_stands_alone() -> None:
    for of in RECOMMENDERS:
        mine = [name for name, found in DEVIATIONS.items() if of in found.of and not found.alone]
        if mine:
            assert [found.name for found in deviations_of(of, "published")] == mine


@pytest.mark.parametrize(
    ("recommender", "protocol", "said"),
    [
        ("knn", "lax", "protocol 'lax' is unknown; known: corrected, published, published:NAME"),
        ("knn", "published:", "is unknown"),
        ("knn", "published:lax", "NAME one of knn_profiles, cold_k"),
        ("knn", "published:frozen_flags", "recommender knn; .* that do: knn_profiles, cold_k$"),
        ("popularity", "published", "recommender popularity; deviations that do: none$"),
    ],
)
def test_mistakes(recommender: str, protocol: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        recommender_of(recommender, {}, protocol)
    assert "\n" not in str(caught.value)


def test_what_a_deviation_sets_cannot_be_set_otherwise() -> None:
    protocol = "published:frozen_flags"
    made = recommender_of("shallow", {"train_users": "false", "margin": 0.3}, protocol).settings()
    assert (made["train_users"], made["train_items"], made["margin"]) == (False, True, 0.3)
    with pytest.raises(InputError, match="sets train_users=False"):
        recommender_of("shallow", {"train_users": True}, protocol)


@pytest.mark.parametrize("protocol", ["published", "published:cold_k"])
def test_cold_lists_are_read_at_the_length_said_and_the_length_used(protocol: str) -> None:
    asked = {"recommender": "knn", "backend": "mert", "k": (10,)}
    world: Any = World()
    assert make_spec(world, scenario="cold", protocol=protocol, **asked).k == (10, 20, 50)
    assert make_spec(world, scenario="hot", protocol=protocol, **asked).k == (10,)
    assert make_spec(world, scenario="cold", **asked).k == (10,)


def test_the_command_names_the_protocol_and_nothing_that_it_sets() -> None:
    asked = {"recommender": "shallow", "scenario": "hot", "backend": "mert"}
    world: Any = World()
    made = make_spec(world, protocol="published:frozen_flags", **asked)
    assert made.command() == (
        "python -m mrs run --dataset world --split temporal --backend mert --recommender shallow "
        "--scenario hot --protocol published:frozen_flags"
    )


@pytest.mark.parametrize("protocol", ["published", "published:frozen_flags", "published:cold_k"])
def test_a_recommender_as_published_is_a_value_that_travels_to_workers(protocol: str) -> None:
    made = recommender_of("shallow", {"margin": 0.3}, protocol)
    sent = pickle.loads(pickle.dumps(made))
    assert (type(sent), sent, hash(sent)) == (type(made), made, hash(made))
    assert sent == recommender_of("shallow", {"margin": "0.3"}, protocol)
    assert sent != recommender_of("shallow", {"margin": 0.3})
    assert sent.protocol == protocol
    assert set(sent.deviations) == {found.name for found in deviations_of("shallow", protocol)}
