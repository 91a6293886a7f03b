"""Orders of systems and their reversals by hand."""

import numpy as np
import pandas as pd
import pytest
from worlds import class_frame

from mrs_book.chapters import metrics_orders as orders
from mrs_book.chapters.metrics_orders import Reversal


def test_tau_of_known_orders() -> None:
    """Of three pairs two agree and one does not: tau 1/3; all reversed: -1."""
    board = orders.boards(
        class_frame(
            {("map", "min"): [3, 2, 1], ("map", "k"): [2, 3, 1], ("map", "hits"): [1, 2, 3]}
        )
    )
    tau = orders.agreement(board)
    assert tau.loc[("map", "min"), ("map", "k")] == pytest.approx(1 / 3)
    assert tau.loc[("map", "min"), ("map", "hits")] == pytest.approx(-1)
    assert tau.loc[("map", "k"), ("map", "hits")] == pytest.approx(-1 / 3)


def test_tau_b_counts_ties() -> None:
    """A tie in one order: two of the three pairs count there, tau-b = 2 / sqrt(2 * 3)."""
    board = orders.boards(class_frame({("mrr", "first"): [3, 2, 2], ("mrr", "arhr"): [3, 2, 1]}))
    assert orders.agreement(board).iloc[0, 1] == pytest.approx(2 / np.sqrt(6))


def test_values_that_differ_by_rounding_are_tied() -> None:
    board = orders.boards(class_frame({("map", "k"): [0.1 + 0.2, 0.3], ("map", "min"): [1.0, 2.0]}))
    assert orders.reversal(board["map", "k"], board["map", "min"]) is None


def test_the_largest_reversal_is_found() -> None:
    """a falls from the first to the last of five; d and e swap as well, by one place."""
    first = pd.Series([5.0, 4.0, 3.0, 2.0, 1.0], index=list("abcde"))
    second = pd.Series([1.0, 5.0, 4.0, 2.0, 3.0], index=list("abcde"))
    # The second order is b, c, e, d, a. a and c swap by 2 and 3 places, a and e by 4 and 2.
    assert orders.reversal(first, second) == Reversal("a", "e", 4, 2)
    assert orders.swaps(first, second).sum() == 5
    among = np.zeros((5, 5), dtype=bool)
    among[3, 4] = True
    assert orders.reversal(first, second, among) == Reversal("d", "e", 1, 1)
    assert orders.reversal(first, first) is None


def test_the_reversal_of_a_name_is_the_largest_of_its_pairs() -> None:
    definitions = [("ndcg", "min"), ("ndcg", "none"), ("ndcg", "listed")]
    board = orders.boards(
        class_frame(dict(zip(definitions, ([3, 2, 1], [2, 3, 1], [1, 2, 3]), strict=True)))
    )
    one, other, found = orders.largest_reversal(board, definitions) or pytest.fail("none found")
    assert (one, other) == (definitions[0], definitions[2])
    assert found == Reversal("a", "c", 2, 2)


def test_clear_swaps_need_a_clear_lead_under_both() -> None:
    definitions = [("ndcg", "min"), ("ndcg", "none")]
    board = orders.boards(class_frame(dict(zip(definitions, ([3, 2, 1], [1, 2, 3]), strict=True))))
    forward = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)  # a and b lead c
    backward = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]], dtype=bool)  # b and c lead a
    clear = dict(zip(definitions, (forward, backward), strict=True))
    assert orders.count_swaps(board, definitions, clear) == (3, 1)
    _, _, found = orders.largest_reversal(board, definitions, clear) or pytest.fail("none found")
    assert (found.ahead, found.behind) == ("a", "c")
    assert orders.count_swaps(board, definitions, {}) == (3, 0)
    assert orders.largest_reversal(board, definitions, {}) is None
