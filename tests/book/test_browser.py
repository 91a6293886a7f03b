"""A small book, built strictly and opened from disk as a reader would, with the network off."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from projects import ROOT, write_project, write_template

from mrs_book.kit.book import MATHJAX, build
from mrs_book.kit.pages import Page, Part

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
CELLS = (
    """
import matplotlib.pyplot as plt
import polars as pl
from IPython.display import Markdown, display

from mrs_book.kit.style import GENERATED, palette, use_style
from mrs_book.kit.tables import show

use_style(GENERATED)
display(Markdown(f"A page of {backend} with $x^2$."))
""",
    """
metrics = {f"ndcg@{k}": [0.25, None] for k in range(10, 200, 10)}
frame = pl.DataFrame({"backend": ["sim:MERT", "MFCC"], **metrics})
show(frame, "A wide table")
show(frame, "A wide sortable table", sortable=True)
""",
    """
labels = ["sim:MERT", "MFCC"]
figure, axis = plt.subplots()
for place, label in enumerate(labels):
    axis.bar(place, 1, color=palette(labels)[label])
""",
)
READING = "# Reading\n\nA metric is $h_i$:\n\n$$\\frac{1}{k} \\sum_{i=1}^k h_i$$\n"
PAGES = ("index", "reading", "plain", "recommender-knn", "runs/knn-mert-hot")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built book."""
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    write_template(root, "index", "backend")
    write_template(root, "run", *CELLS)
    (root / "book/reading.md").write_text(READING)
    (root / "book/plain.md").write_text("# Plain\n\nNo formula; a [link](https://example.org).\n")
    if (ROOT / MATHJAX).is_file():
        (root / MATHJAX).parent.mkdir(parents=True)
        shutil.copy(ROOT / MATHJAX, root / MATHJAX)
    runs = tuple(
        Page(f"runs/knn-mert-{s}", f"sim:MERT, {s}", "run", f"KNN, {s}") for s in ("hot", "cold")
    )
    parts = [
        Part("", (Page("index", "Overview", "index", "Overview"),)),
        Part("The study", (Page("reading", "Reading"), Page("plain", "Plain"))),
        Part("Recommenders", (Page("recommender-knn", "KNN", "index", "KNN", children=runs),)),
    ]
    return build(parts, root, workers=2, strict=True).parent


NAVIGATION = ("canonical", "index", "search", "next", "prev")  # links that load nothing


class Resources(HTMLParser):
    """What a page loads by itself, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.within = tag
        if tag in ("script", "img", "iframe", "source", "audio", "video", "embed"):
            self.found += [known.get("src", ""), known.get("srcset", "")]
        if tag == "link" and known.get("rel") not in (
            "canonical",
            "index",
            "search",
            "next",
            "prev",
        ):
            self.found.append(known.get("href", ""))
        self.inline.append(known.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self.within in ("script", "style"):
            self.inline.append(data)


REMOTE = r"(?:https?:)?//[\w-]+\.[\w./-]+"
LOADS_IN_STYLE = re.compile(rf"""(?:url\(|@import)\s*['"]?{REMOTE}""")
LOADS_IN_SCRIPT = re.compile(
    rf"""(?:import\s*\(|import|from|importScripts\(|fetch\()\s*['"`]{REMOTE}|\.src\s*=\s*['"`]{REMOTE}"""
)


def remote_resources(html: Path) -> list[str]:
    """Every reference of a built book to something that would be loaded from elsewhere."""
    wrong = []
    for path in sorted(html.rglob("*")):
        name = path.relative_to(html).as_posix()
        if name.startswith("_sources/") or path.suffix not in (".html", ".css", ".js"):
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            page = Resources(text)
            wrong += [f"{name}: {r}" for r in page.found if re.match(REMOTE, r.strip())]
            text = "\n".join(page.inline)
        for pattern in (LOADS_IN_STYLE, LOADS_IN_SCRIPT):
            wrong += [f"{name}: {match[0]}" for match in pattern.finditer(text)]
    return wrong


def test_remote_resources_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="https://a.org/x.css"><script src="//b.org/x.js"></script>'
        '<img src="https://c.org/x.png"><a href="https://fine.org">a</a>'
        "<script type=module>import { x } from 'https://d.org/x.js';</script>"
        '<p style="background: url(https://e.org/x.png)">url(https://fine.org)</p>'
    )
    (tmp_path / "b.css").write_text("@import 'https://f.org/x.css'; p { color: red }")
    (tmp_path / "c.js").write_text('s.src = "https://g.org/x.js"; t = "https://fine.org"')
    wrong = "\n".join(remote_resources(tmp_path))
    for letter in "abcdefg":
        assert f"{letter}.org" in wrong
    assert "fine" not in wrong


def test_the_book_refers_to_nothing_elsewhere(html: Path) -> None:
    assert len(list(html.rglob("*.html"))) >= len(PAGES)
    assert remote_resources(html) == []


def test_the_book_of_this_checkout_refers_to_nothing_elsewhere() -> None:
    built = ROOT / "book/_build/html"
    if not (built / "index.html").is_file():
        pytest.skip("no book was built here: `make book` first")
    assert remote_resources(built) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on the path")
    with playwright.sync_playwright() as session:
        chromium = session.chromium.launch(executable_path=found, args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_open_from_disk(html: Path, browser, mode: str, width: int) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=mode, offline=True
    )
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name in PAGES:
        page.goto((html / f"{name}.html").as_uri())
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.dataset.theme") == mode
        bars = page.locator("header:visible, .bd-header:visible, .bd-header-article:visible")
        shown = bars.evaluate_all(
            "bars => bars.map(bar => bar.getBoundingClientRect())"
            ".filter(box => box.height > 0 && box.top < 100 && box.width > 300).map(box => box.top)"
        )
        assert len(set(shown)) == 1, f"{name}: top bars at {shown}"
        widest = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= width, f"{name} is {widest} wide"
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_tables_and_figures_are_readable(html: Path, browser, mode: str) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 390, "height": 900}, color_scheme=mode)
    page = context.new_page()
    page.goto((html / "runs/knn-mert-hot.html").as_uri())
    sortable = page.locator(".dt-container table.dataTable tbody td").first
    sortable.wait_for()
    for cell in (page.locator("table.data tbody td").first, sortable):
        text, ground = cell.evaluate(
            """cell => {
                const light = colour => {
                    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
                    return a === 0 ? null : (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
                };
                let box = cell, ground = null;
                while (ground === null && box) {
                    ground = light(getComputedStyle(box).backgroundColor);
                    box = box.parentElement;
                }
                return [light(getComputedStyle(cell).color), ground ?? 1];
            }"""
        )
        assert (text > 0.6 and ground < 0.3) if mode == "dark" else (text < 0.4 and ground > 0.9)
    for box in page.locator(".table-box, .output:has(> .dt-container), .output.text_html").all():
        inner, outer = box.evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert outer <= 390
        assert inner <= outer or box.evaluate("box => getComputedStyle(box).overflowX") == "auto"
    figure = page.locator("div.cell_output img")
    assert figure.evaluate("image => image.naturalWidth") > 700
    assert figure.bounding_box()["width"] <= 390
    context.close()


@pytest.mark.browser
def test_formulas_are_drawn_and_only_there(html: Path, browser) -> None:  # type: ignore[no-untyped-def]
    if not (ROOT / MATHJAX).is_file():
        pytest.skip(f"{MATHJAX} was not fetched: `make setup` first")
    page = browser.new_page()
    for name, formulas in (("reading", 2), ("runs/knn-mert-hot", 1), ("plain", 0)):
        page.goto((html / f"{name}.html").as_uri())
        if formulas:
            page.locator("mjx-container svg").first.wait_for()
        assert page.locator("mjx-container svg").count() == formulas
        assert page.locator("script[src*=mathjax]").count() == (formulas > 0)
        assert r"\frac" not in page.locator("article").inner_text()
    page.close()


@pytest.mark.browser
def test_run_pages_are_told_apart_in_the_side_bar(html: Path, browser) -> None:  # type: ignore[no-untyped-def]
    page = browser.new_page()
    page.goto((html / "runs/knn-mert-hot.html").as_uri())
    entries = page.locator(".bd-sidebar-primary nav a")
    found = {entry.inner_text().strip(): entry.get_attribute("href") for entry in entries.all()}
    assert found["sim:MERT, hot"] == "#"
    assert found["sim:MERT, cold"] == "knn-mert-cold.html"
    assert found["KNN"] == "../recommender-knn.html"
    assert len(found) == entries.count() == 6
    page.get_by_role("link", name="sim:MERT, cold").first.click()
    assert page.locator("article h1").inner_text().startswith("KNN, cold")
    page.close()
