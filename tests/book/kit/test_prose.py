"""What users wrote stays text: in Markdown, and in the HTML of a page."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mrs_book.kit.prose import literal, note

ROOT = Path(__file__).parents[3]
TITLE = "<script>alert(1)</script> *My* [study](x) $1$ `a`"


def test_a_literal_is_one_line_without_markup() -> None:
    assert literal("a\n  *b* <i>") == r"a \*b\* \<i\>"
    assert literal("k = 10, 95 % (hot)") == "k = 10, 95 % (hot)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("```{raw} html\n<b>\n```", "```\\{raw} html\n<b>\n```"),
        (":::{note}\nx\n:::", ":::\\{note}\nx\n:::"),
        ("{eval}`1 + 1`", "\\{eval}`1 + 1`"),
        ("*kept*, [kept](x.md), {kept}", "*kept*, [kept](x.md), {kept}"),
    ],
)
def test_a_note_has_neither_directives_nor_roles(text: str, shown: str) -> None:
    assert note(text) == shown


def test_titles_and_notes_are_text_in_the_pages(tmp_path: Path) -> None:
    fence = note("```{raw} html\n<script>alert(2)</script>\n```")
    role = note("{raw-html}`<script>alert(3)</script>`")
    (tmp_path / "index.md").write_text(f"# {literal(TITLE)}\n\n## Part\n\n{fence}\n\n{role}\n")
    (tmp_path / "other.md").write_text("# Other\n")
    toc = {"format": "jb-book", "root": "index", "chapters": [{"file": "other", "title": TITLE}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "assets").mkdir()
    shutil.copy(ROOT / "_config.yml", tmp_path)
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", "-q", str(tmp_path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for page in ("index", "other"):
        html = (tmp_path / f"_build/html/{page}.html").read_text()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt; *My* [study](x) $1$ `a`" in html
