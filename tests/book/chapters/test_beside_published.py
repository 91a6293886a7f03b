"""Ours beside published on the same data, with planted records that pose as real ones."""

from pathlib import Path

import polars as pl
import pytest

from mrs.study.store import Store
from mrs_book.chapters.published import Page
from mrs_book.papers import claims, results
from mrs_book.papers.claims import HELD_AGAINST, NOT_TESTABLE, PARTLY
from mrs_book.papers.evidence import gather
from mrs_book.papers.judge import judge


def base() -> pl.DataFrame:
    return results.comparable().filter(variant="base")


def plant(store: Store, off: int, name: str = "music4all-onion") -> None:
    """A record a published cell; of the first `off` the values are a tenth too high."""
    cells = base().partition_by(results.CELL[:-1], maintain_order=True)
    for place, cell in enumerate(cells):
        row = cell.row(0, named=True)
        factor = 1.1 if place < off else 1.0
        reads = row["backend"] != "none"
        info = {
            "dataset": {"spec": name, "name": name},
            "split": "temporal",
            "recommender": row["recommender"],
            "settings": {},
            "backend": row["backend"] if reads else None,
            "shuffled": row["vectors"] == "shuffled",
            "scenario": row["scenario"],
            "k": [50],
            "protocol": "corrected",
            "provenance": {"listens": "real", "vectors": "audio" if reads else None},
        }
        means = cell.select("metric", "published").iter_rows()
        users = {f"{metric}@50": [0.0, 2 * factor * mean] for metric, mean in means}
        store.write(f"{name}{place:03d}", info, pl.DataFrame(users))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    return Store(tmp_path / "store")


def page(store: Store) -> Page:
    return Page(str(store.folder), "ndcg", "ndcg")


def verdict(store: Store) -> str:
    (claim,) = claims.find("p2-values")
    return judge(claim, gather(store)).verdict


def test_without_a_run_the_command_is_named(store: Store) -> None:
    plant(store, 0, name="another")
    assert page(store).own_tables() == {}
    text = page(store).own_text()
    assert f"none of the {len(base())} values" in text
    assert "python -m mrs grid --study studies/music4all-onion.yaml" in text
    assert verdict(store) == NOT_TESTABLE


def test_every_value_with_its_difference_and_verdict(store: Store) -> None:
    plant(store, 5)
    found = page(store).on_own_data
    assert len(found) == len(results.comparable())
    rows, n = found.filter(variant="base"), len(base())
    assert len(rows) == n < len(found)
    # The first cells are KNN's in hot, whose values are so small that the last digit decides.
    too_high = rows.filter(pl.col("published") * 0.1 > 0.05 * pl.col("published") + 0.00005)
    wrong = rows.filter(~pl.col("within"))
    assert 0 < len(wrong) <= 15
    assert wrong["difference"].to_list() == pytest.approx((wrong["published"] * 0.1).to_list())
    assert set(wrong.select(results.KEY).rows()) <= set(too_high.select(results.KEY).rows())
    text = page(store).own_text()
    assert f"{n - len(wrong)} of {n} with protocol corrected" in text
    assert "p2-values" in text
    assert verdict(store) == HELD_AGAINST["listening"]


def test_many_values_off_change_the_verdict(store: Store) -> None:
    plant(store, 80)
    assert verdict(store) == PARTLY


def test_ours_and_theirs_have_columns_of_their_own(store: Store) -> None:
    plant(store, 0)
    shown = page(store).own_tables()
    assert [caption[:5] for caption in shown] == ["Hot, ", "Cold,"]
    assert sum(map(len, shown.values())) == len(results.comparable())
    for caption, table in shown.items():
        assert "computed here on real plays" in caption
        assert caption.endswith("protocol corrected")
        table = table.filter(~pl.col("recommender").str.contains("100"))
        assert table["here, real plays"].to_list() == pytest.approx(table["published"].to_list())
