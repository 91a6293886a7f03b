"""Intervals with two degrees of freedom: coverage against a closed form and a simulation."""

import math

import numpy as np
import polars as pl
import pytest

from mrs_book.papers import t_intervals


def test_two_runs_by_hand():
    # One degree of freedom is Cauchy's distribution; t of two degrees at 97.5 % is 4.302653.
    assert t_intervals.coverage(2) == pytest.approx(2 / math.pi * math.atan(4.302653), abs=1e-6)


def test_three_runs_are_right():
    assert t_intervals.coverage(3) == pytest.approx(0.95)
    assert t_intervals.width_ratio(3) == pytest.approx(1)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_coverage_in_a_simulation(n: int):
    draws = np.random.default_rng(n).normal(size=(40_000, n))
    error = draws.std(axis=1, ddof=1) / math.sqrt(n)
    held = np.abs(draws.mean(axis=1)) <= 4.302653 * error
    assert held.mean() == pytest.approx(t_intervals.coverage(n), abs=0.006)


def test_widths_by_hand():
    # 4.302653 over the t of 1 and of 3 degrees of freedom at 97.5 %
    assert t_intervals.width_ratio(2) == pytest.approx(4.302653 / 12.706205)
    assert t_intervals.width_ratio(4) == pytest.approx(4.302653 / 3.182446, rel=1e-6)


def test_printed_intervals_are_counted_by_runs():
    rows = t_intervals.printed()
    shallow = rows.filter(recommender="shallow", backend="musicfm")
    assert set(shallow.filter(embeddings="real")["runs"]) == {4}
    assert set(shallow.filter(embeddings="shuffled")["runs"]) == {3}
    assert "knn" not in rows["recommender"].to_list()  # one run, no interval
    table = t_intervals.table()
    assert table["printed intervals"].sum() == len(rows)
    # BERT4Rec on Jukebox, real and shuffled, hot and cold, three metrics
    assert table.filter(pl.col("runs") == 2)["printed intervals"][0] == 2 * 2 * 3


def test_the_sentence_follows_the_tables(monkeypatch: pytest.MonkeyPatch):
    before = t_intervals.sentence()
    assert "85.5%" in before
    rows = t_intervals.tables().filter(pl.col("recommender") != "bert4rec")
    monkeypatch.setattr(t_intervals, "tables", lambda: rows)
    after = t_intervals.sentence()
    assert after != before
    assert "of 2 runs" not in after
