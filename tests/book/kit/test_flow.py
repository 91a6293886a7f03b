"""Every recommender has a card with a figure, and a source for each hyper-parameter."""

import re
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.recommenders.cards import cards
from mrs_book.kit.flow import idea_figure
from mrs_book.kit.style import GENERATED, use_style

NAMES = sorted(RECOMMENDERS)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(GENERATED)
    yield
    plt.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_the_way_of_a_new_track_is_that_of_the_class(name: str) -> None:
    assert cards()[name].answers_cold == ("cold" in RECOMMENDERS[name].scenarios)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_is_that_of_the_class(name: str) -> None:
    card = cards()[name]
    trained = "max_epochs" in make_recommender(name, {}).settings()
    assert any(step.trained for step in card.steps) == trained


@pytest.mark.parametrize("name", NAMES)
def test_the_figure_shows_every_step(name: str) -> None:
    card = cards()[name]
    figure = idea_figure(card)
    (axis,) = figure.axes
    shown = [" ".join(text.get_text().split()) for text in axis.texts]
    for step in card.steps:
        assert step.text in shown
    assert card.score in shown
    filled = [patch for patch in axis.patches if patch.get_facecolor() != (1, 1, 1, 1)]
    n_trained = sum(step.trained for step in card.steps)
    assert len(filled) == n_trained + 1  # and the score's box


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_its_box(name: str) -> None:
    figure = idea_figure(cards()[name])
    figure.draw_without_rendering()
    (axis,) = figure.axes
    boxes = [patch.get_window_extent() for patch in axis.patches]
    for text in axis.texts:
        if text.get_text() in ("user", "track", "in training only", ""):
            continue
        extent = text.get_window_extent()
        assert any(
            box.x0 <= extent.x0
            and extent.x1 <= box.x1
            and box.y0 - 1 <= extent.y0
            and extent.y1 <= box.y1 + 1
            for box in boxes
        ), text.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_formulas_are_whole(name: str) -> None:
    for formula in cards()[name].formulas:
        assert formula.count("{") == formula.count("}")
        begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", formula) for word in ("begin", "end"))
        assert begun == ended
        assert "$" not in formula


@pytest.mark.parametrize("name", NAMES)
def test_every_hyper_parameter_has_a_source_or_a_reason(name: str) -> None:
    defaults = make_recommender(name, {}).settings()
    sources = cards()[name].hyperparameters
    assert set(sources) == set(defaults)
    for key, source in sources.items():
        assert bool(source.published) == bool(source.where), key
        assert source.published or source.ours, key
        published = [part.strip() for part in source.published.split(",")]
        if str(defaults[key]).lower() not in published:
            assert source.ours, (
                f"{name}: {key} departs from what was published, and nobody says why"
            )
