"""Parameters as papermill's command line gives them."""

import pytest

from mrs.errors import InputError
from mrs.report.parameters import integers, mapping, required, word, words


@pytest.mark.parametrize("value", [5, "5", [5], (5,), "[5]", "(5,)"])
def test_one_integer(value: object) -> None:
    assert integers("k", value) == (5,)


@pytest.mark.parametrize("value", [[5, 10], "[5,10]", "5,10", "5, 10", "(5, 10)"])
def test_integers(value: object) -> None:
    assert integers("k", value) == (5, 10)


@pytest.mark.parametrize("value", [[], "", "[]"])
def test_no_integer(value: object) -> None:
    assert integers("seeds", value) == ()


@pytest.mark.parametrize("value", ["five", 1.5, None, True, ["a"], {"a": 1}, "[5"])
def test_no_integers(value: object) -> None:
    with pytest.raises(InputError, match=r"^parameter k: .*; write integers such as 5"):
        integers("k", value)


@pytest.mark.parametrize("value", [{"a": 1, "b": "x"}, "a=1,b=x", "{a: 1, b: x}"])
def test_mapping(value: object) -> None:
    assert mapping("settings", value) == {"a": 1, "b": "x"}


@pytest.mark.parametrize("value", ["", None, {}, "{}"])
def test_empty_mapping(value: object) -> None:
    assert mapping("settings", value) == {}


@pytest.mark.parametrize("value", ["a", "=1", 5, ["a"], "{a"])
def test_no_mapping(value: object) -> None:
    with pytest.raises(InputError, match=r"^parameter settings: .*; write name=value"):
        mapping("settings", value)


@pytest.mark.parametrize("value", ["", None, "none"])
def test_no_word(value: object) -> None:
    assert word("backend", value) is None
    with pytest.raises(InputError, match="^parameter backend: .*; write a name"):
        required("backend", value)


def test_word() -> None:
    assert word("backend", "mert") == required("backend", "mert") == "mert"
    assert word("backend", 5) == "5"
    for value in (True, ["mert"]):
        with pytest.raises(InputError, match="^parameter backend: .*; write a name"):
            word("backend", value)


@pytest.mark.parametrize(
    "value", [["ndcg", "5"], "ndcg,5", "[ndcg, 5]", ["ndcg", 5], "('ndcg', 5)"]
)
def test_words(value: object) -> None:
    assert words("metrics", value) == ["ndcg", "5"]
