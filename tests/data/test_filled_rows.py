"""Rows of tracks without a vector: which are drawn, and what the file then holds."""

from pathlib import Path

import numpy as np

from mrs.data.filled_rows import RowFile, draw


def test_rows_by_position(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb+") as file:
        rows = RowFile(file, 5, 3)
        rows.write(3, np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float64))
        rows.write(0, np.array([7, 8, 9], dtype=np.float32))
        rows.fill({1: 4})
    found = np.load(tmp_path / "x.npy")
    assert found.dtype == np.float32
    assert found.tolist() == [[7, 8, 9], [4, 5, 6], [0, 0, 0], [1, 2, 3], [4, 5, 6]]


def test_stand_ins_are_drawn_among_the_known_by_a_fixed_seed() -> None:
    drawn = draw(range(100, 200), [3, 5, 8])
    assert list(drawn) == [3, 5, 8]
    assert set(drawn.values()) <= set(range(100, 200))
    assert drawn == draw(range(100, 200), [3, 5, 8])
    assert list(drawn.values()) == np.random.default_rng(0).choice(range(100, 200), 3).tolist()
