import pytest

from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.recommenders.knn import KNN
from mrs.recommenders.random import Random


def test_names_and_labels_are_distinct() -> None:
    assert len({kind.label for kind in RECOMMENDERS.values()}) == len(RECOMMENDERS)
    assert all(name == kind.name for name, kind in RECOMMENDERS.items())


def test_text_values_become_the_type_of_the_default() -> None:
    assert make_recommender("knn", {"center": "true"}) == KNN(center=True)
    assert make_recommender("random", {"embedding_size": "8"}) == Random(embedding_size=8)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("knm", {}, "recommender 'knm' is unknown; choose one of knn"),
        ("knn", {"centre": "true"}, "no hyper-parameter 'centre'; known: center"),
        ("knn", {"center": "maybe"}, "center=maybe should be a valid boolean"),
        ("random", {"embedding_size": "8.5"}, "embedding_size=8.5 should be a valid integer"),
        ("random", {"embedding_size": "many"}, "embedding_size=many should be a valid integer"),
    ],
)
def test_mistakes(name: str, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_recommender(name, settings)
