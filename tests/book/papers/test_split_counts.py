"""Published sizes of splits beside ours."""

import polars as pl

from mrs_book.papers import cold_at_20, results, split_counts

TABLE = pl.DataFrame(
    {
        "part": ["train", "validation", "hot test", "cold test"],
        "pairs": [5_371_381, 48_787, 280_745, 23_268],
        "users": [21_018, 2_459, 10_238, 4_553],
        "tracks": [55_262, 23_625, 45_002, 589],
        "tracks a user": ["142 (1-4427)", "11 (1-319)", "18 (1-369)", "3 (1-85)"],
        "plays a user": ["318 (1-126907)", "17 (1-713)", "26 (1-2516)", "5 (1-821)"],
    }
)


def test_every_published_count_stands_beside_ours() -> None:
    found = split_counts.beside("music4all-onion", "temporal", TABLE)
    assert found["part"].unique(maintain_order=True).to_list() == TABLE["part"].to_list()
    assert len(found) == 4 * 5
    different = found.filter(~pl.col("equal")).select("part", "count", "here", "published").rows()
    assert different == [
        ("cold test", "pairs", "23268", "23269"),
        ("cold test", "plays a user", "5 (1-821)", "5 (1-820)"),
    ]
    assert "stats.csv" in split_counts.note("music4all-onion", "temporal")


def test_sizes_that_nobody_published() -> None:
    for dataset in ("music4all-onion", "yambda-50m"):
        assert not len(split_counts.beside(dataset, "catalogue", TABLE))
        assert "2604.07090" in split_counts.note(dataset, "catalogue")
        assert "are unknown" in split_counts.note(dataset, "catalogue")
    assert not len(split_counts.beside("demo", "temporal", TABLE))
    assert split_counts.note("demo", "temporal") == ""


def test_the_table_agrees_with_the_other_data_files() -> None:
    published = {row["part"]: row for row in split_counts.load().iter_rows(named=True)}
    assert int(published["train"]["tracks"]) == results.N_TRAIN_TRACKS
    cold, sizes = published["cold test"], cold_at_20.truth_sizes()
    assert int(cold["users"]) == sizes["n_users"].sum()
    assert int(cold["pairs"]) == (sizes["n_users"] * sizes["n_relevant"]).sum()
    assert int(cold["tracks"]) == cold_at_20.N_COLD_TRACKS
