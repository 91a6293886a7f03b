"""The rows of the deviations table: checked when read, in words without effects."""

import re
from importlib.resources import files

import pytest

from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS
from mrs_book.papers.deviation_table import Evidence, deviation, deviations, read

ROW = """
repositories: {p2: owner/name@abc1234}
papers: {p2: arXiv 1}
deviations:
  - name: one
    title: A title
    recommenders: [knn]
    papers: [p2]
    described: A.
    published: B.
    here: C.
    evidence: [p2 src/a.py 3-4]
    certainty: confirmed
    measured: runs
"""


def test_a_row_by_hand():
    (row,) = read(ROW)
    assert (row.name, row.recommenders, row.papers) == ("one", ("knn",), ("arXiv 1",))
    assert row.evidence == (Evidence("owner/name", "abc1234", "src/a.py", "3-4"),)
    assert row.protocol == "published:one"


@pytest.mark.parametrize(
    ("where", "text", "anchor"),
    [
        ("3-4", "o/n@abc: a.py, lines 3-4", "a.py#L3-L4"),
        ("7", "o/n@abc: a.py, line 7", "a.py#L7"),
        ("cell 2", "o/n@abc: a.py, cell 2", "a.py"),
        ("", "o/n@abc: a.py", "a.py"),
    ],
)
def test_places_are_shown_and_linked(where: str, text: str, anchor: str):
    place = Evidence("o/n", "abc", "a.py", where)
    assert str(place) == text
    assert place.address == f"https://github.com/o/n/blob/abc/{anchor}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("certainty: confirmed", "certainty: sure", "certainty is 'sure'"),
        ("measured: runs", "measured: often", "measured is 'often'"),
        ("measured: runs", "measured: none", "a reason belongs"),
        ("measured: runs", "measured: runs\n    reason: No.", "a reason belongs"),
        ("[knn]", "[]", "recommenders belong"),
        ("[knn]", "[nobody]", "nobody"),
        ("here: C.", "here: ''", "here is empty"),
        ("[p2 src/a.py 3-4]", "[p2 src/a.py three]", "evidence"),
        ("[p2 src/a.py 3-4]", "[p9 src/a.py]", "p9"),
        ("[p2 src/a.py 3-4]", "[]", "no evidence"),
        ("title: A title", "size: 3", "size"),
        ("  - name: one", "  - name: one\n    effect: -0.1", "effect"),
    ],
)
def test_a_wrong_row_is_named(old: str, new: str, message: str):
    with pytest.raises(InputError, match=message):
        read(ROW.replace(old, new))


def test_a_name_stands_once():
    head, row = ROW.split("deviations:\n")
    with pytest.raises(InputError, match="row 2: one stands there twice"):
        read(f"{head}deviations:\n{row}{row.lstrip(chr(10))}")


def test_list_lengths_belong_to_new_tracks():
    assert "cold" not in RECOMMENDERS["elsa"].scenarios
    wrong = ROW.replace("measured: runs", "measured: list length").replace("[knn]", "[elsa]")
    with pytest.raises(InputError, match="elsa does not answer"):
        read(wrong)


def test_the_rows_are_those_that_protocols_know():
    published = pytest.importorskip("mrs.published.deviations.registry")
    mine = {row.name: set(row.recommenders) for row in deviations() if row.measured == "runs"}
    runnable = {
        name: set(known.of)
        for name, known in published.DEVIATIONS.items()
        if not known.note and name != "cold_k"
    }
    assert mine == runnable
    assert set(published.DEVIATIONS) <= {row.name for row in deviations()}


def test_at_least_twelve_are_measured():
    assert sum(row.measured != "none" for row in deviations()) >= 12


def test_known_places():
    row = deviation("knn_profiles")
    assert row.evidence[0].address.endswith("2a36454/src/knn.py#L22-L26")
    assert deviation("musicnn_first_patch").certainty == "PROBABLE"


def test_no_effect_is_typed():
    """A metric's value, a difference or a percentage of one: decimals below one, signs, per cent.

    What stays are settings that the published code holds.
    """
    text = (files("mrs_book.papers") / "data" / "deviations.yaml").read_text(encoding="utf-8")
    settings = {"0.01", "0.1", "0.2", "0.5"}
    assert set(re.findall(r"\b0\.\d+", text)) <= settings
    assert not re.findall(r"[-+−±]\s?\d|\d ?%", re.sub(r"\d+-\d+", "", text))
    assert not re.findall(r"(?i)\b(ndcg|recall|hitrate)@", text)
