"""Published values beside ours: which stand together, and what is within tolerance."""

import polars as pl
import pytest

from mrs_book.papers import results
from mrs_book.papers.claims import OWN_CELLS

TOLERANCE = 0.05


def ours(metric: str, mean: float, **changes: object) -> dict:
    row = {"recommender": "elsa", "variant": "", "backend": "", "label": "", "scenario": "hot"}
    row |= {"shuffled": False}
    return {"protocol": "corrected", **row, "metric": metric, "mean": mean, "runs": 3} | changes


def beside(*rows: dict) -> pl.DataFrame:
    found = results.beside_own(pl.DataFrame(rows, schema=OWN_CELLS))
    found = found.with_columns(within=results.agrees(TOLERANCE))
    return found.filter(pl.col("protocol").is_not_null())


def test_without_runs_every_value_stands_alone() -> None:
    found = results.beside_own(pl.DataFrame(schema=OWN_CELLS))
    assert len(found) == len(results.comparable()) == found.select(results.KEY).n_unique()
    assert found["here"].is_null().all()


def test_what_is_within_tolerance() -> None:
    """ELSA's printed recall is 0.0823: the tolerance is 0.05 x 0.0823 + 0.00005 = 0.004165."""
    for mean, within in ((0.0823, True), (0.0864, True), (0.0782, True), (0.0865, False)):
        (row,) = beside(ours("recall@50", mean)).iter_rows(named=True)
        assert (row["published"], row["here"], row["within"]) == (0.0823, mean, within)
        assert row["difference"] == pytest.approx(mean - 0.0823)
        assert row["runs"] == 3


def test_both_variants_stand_beside_the_same_run() -> None:
    """Printed hot recall of MULE, content: 0.0165 after 100 epochs (cell 6 of the notebook)."""
    mule = {"recommender": "bimodal_content", "backend": "mule", "label": "MULE"}
    found = beside(ours("recall@50", 0.0165, **mule)).sort("variant")
    assert found["variant"].to_list() == ["100", "base"]
    assert found["here"].to_list() == [0.0165, 0.0165]
    assert found["published"][0] == 0.0165
    assert found["within"][0]
    assert found["published"][1] == 0.0138


def test_only_the_same_value_stands_beside() -> None:
    published = results.comparable()
    chosen = {"scenario": "cold", "recommender": "hybrid", "backend": "mert", "metric": "ndcg"}
    theirs = dict(published.filter(**chosen).select("vectors", "published").iter_rows())
    mert = {"scenario": "cold", "recommender": "hybrid", "backend": "mert", "label": "MERT"}
    found = beside(
        ours("ndcg@50", 0.1, **mert),
        ours("ndcg@50", 0.2, **mert, shuffled=True),
        ours("ndcg@50", 0.3, **mert, protocol="published"),
        ours("ndcg@20", 0.4, **mert),
        ours("ndcg@50", 0.5, **(mert | {"backend": "mine"})),
        ours("ndcg@50", 0.6, **(mert | {"scenario": "cold/discovery"})),
    )
    told = found.sort("here").select("vectors", "protocol", "here", "published").rows()
    assert told == [
        ("real", "corrected", 0.1, theirs["real"]),
        ("shuffled", "corrected", 0.2, theirs["shuffled"]),
        ("real", "published", 0.3, theirs["real"]),
    ]
