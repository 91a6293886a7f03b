"""Make the book: execute the pages whose inputs changed, then build the HTML.

A page carries a stamp of everything that decides its content: the template, the parameters, the
keys of the records that it reads, and the modules and data files that its code can reach. One whose
stamp is still the same is left as it is, so that making the book again with nothing changed costs a
few seconds.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from mrs.errors import InputError
from mrs.progress import progress_bar
from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.kit import execute
from mrs_book.kit.closure import reached, template_code
from mrs_book.kit.execute import (
    BookError,
    Task,
    digest,
    execute_all,
    read_stamp,
)
from mrs_book.kit.pages import Page, Part, pages
from mrs_book.kit.warm import socket_home

MATHJAX = Path(".cache/assets/mathjax/tex-svg.js")
LOG = Path("build/book.log")
FIRST_PAGE = Path("book/_build/html/index.html")
# Pages that read no run of the study. Where its runs take long, a first book shows these before.
RUNLESS = {
    "reading",
    "coldstart",
    "validity",
    "cold_at_20",
    "forensics",
    "deviations",
    "audit",
    "definitions",
    "reference",
}
LONG_SECONDS = 180  # of runs, from which on they do
EXECUTOR = Path(execute.__file__)  # decides what is left of an executed notebook


def build_book(
    study_file: str | Path,
    store: Store,
    *,
    root: Path | None = None,
    workers: int | None = None,
    strict: bool = False,
) -> Path:
    """Compute what a study misses, execute its pages and build the book.

    `root` is the project's folder (default: the working directory), `workers` the number of runs
    and of pages that are computed side by side (default: one a core), and `strict` takes warnings
    of the HTML build as errors. Returns the path of the book's first page. Raises `InputError`
    for a mistake in the study and `BookError` where a page or the HTML fails.
    """
    root = (root or Path.cwd()).resolve()
    if not (root / "_config.yml").is_file():
        raise InputError(f"{root / '_config.yml'}: not found; run this in the project's folder")
    socket_home()  # refuses before the runs
    from mrs.study.grid import run_grid
    from mrs_book.chapters.mir_records import compute_probes

    if not strict:
        build_early(str(study_file), store, root, workers)
    results = run_grid(load_study(study_file), store, workers)
    compute_probes(results.dataset, results.backends(), store, workers)
    return build(pages(str(study_file), results), root, workers=workers, strict=strict)


def build_early(study_file: str, store: Store, root: Path, workers: int | None) -> None:
    """Build a first book of the pages that read no run, where the runs will take minutes."""
    if (root / FIRST_PAGE).is_file():
        return
    from mrs.study.costs import estimate
    from mrs.study.grid import make_plan

    results = Results(load_study(study_file), store)
    seconds = estimate(results, make_plan(results).fits).seconds
    if seconds / (workers or os.cpu_count() or 1) < LONG_SECONDS:
        return
    console = Console(stderr=True)
    parts = [
        replace(part, pages=tuple(page for page in part.pages if page.path in RUNLESS))
        for part in pages(study_file, results)
    ]
    everything = [page for part in parts for page in part.pages]
    execute_pages(everything, root, workers, console)
    write_toc([part for part in parts if part.pages], root)
    install_mathjax(root, console)
    build_html(root, False, console)
    console.print(
        f"{len(everything)} pages that need no run can already be read: {root / FIRST_PAGE}"
    )


def build(parts: Sequence[Part], root: Path, *, workers: int | None, strict: bool) -> Path:
    """Execute the pages of `parts` into `root`/book and build the HTML. See `build_book`."""
    console = Console(stderr=True)
    everything = [page for part in parts for top in part.pages for page in walk(top)]
    execute_pages(everything, root, workers, console)
    prune({page.path for page in everything if page.template}, root)
    write_toc(parts, root)
    install_mathjax(root, console)
    return build_html(root, strict, console)


def walk(page: Page) -> Iterator[Page]:
    """A page and all pages below it, in the order of the side bar."""
    yield page
    for child in page.children:
        yield from walk(child)


# Which pages to execute


def execute_pages(
    everything: Sequence[Page], root: Path, workers: int | None, console: Console
) -> list[str]:
    """Execute the pages whose stamp changed.

    Returns the paths of the executed pages. Raises `BookError` after all others are done if pages
    failed; what their templates printed last is in build/book.log.
    """
    tasks: dict[str, Task] = {}
    sources: dict[Path, str] = {}
    for page in everything:
        if page.template is None:
            if not (root / "book" / f"{page.path}.md").is_file():
                raise InputError(f"book/{page.path}.md: not found; the book has a page of it")
            continue
        task = _task(page, root, sources)
        if read_stamp(task.output) != task.stamp:
            tasks[page.path] = task
    kept = sum(page.template is not None for page in everything) - len(tasks)
    if not tasks:
        console.print(f"Pages: all {kept} are up to date")
        return []
    console.print(f"Pages: executing {len(tasks)}, {kept} are up to date")
    # Pages about many runs take longest; last they would keep one worker when others are idle.
    order = sorted(everything, key=lambda page: -len(page.inputs))
    failures = execute_all(
        {page.path: tasks[page.path] for page in order if page.path in tasks},
        min(workers or os.cpu_count() or 1, len(tasks)),
        console,
    )
    if failures:
        log = root / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("\n\n".join(f"{p}\n{text}" for p, text in failures.items()), "utf-8")
        path, text = next(iter(failures.items()))
        last = text.strip().splitlines()[-1]
        raise BookError(
            f"{len(failures)} of {len(tasks)} pages failed, first {path} "
            f"({tasks[path].template.name}): {last}; everything is in {LOG}"
        )
    return list(tasks)


def _task(page: Page, root: Path, sources: dict[Path, str]) -> Task:
    """The task of a page; `sources` keeps the digest of what each template's code can reach."""
    template = root / "notebooks" / f"{page.template}.ipynb"
    if not template.is_file():
        raise InputError(f"notebooks/{page.template}.ipynb: not found; page {page.path} needs it")
    if template not in sources:
        files = {EXECUTOR, *reached(template_code(template))}
        sources[template] = digest(files)
    content = [
        hashlib.sha256(template.read_bytes()).hexdigest(),
        page.heading,
        dict(page.parameters),
        page.inputs,
        sources[template],
    ]
    stamp = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    output = root / "book" / f"{page.path}.ipynb"
    return Task(template, output, page.heading, page.parameters, stamp, root)


def prune(paths: set[str], root: Path) -> None:
    """Remove the executed notebooks of pages that the book no longer has."""
    book = root / "book"
    for notebook in sorted(book.rglob("*.ipynb")):
        name = notebook.relative_to(book)
        if name.parts[0] == "_build" or name.with_suffix("").as_posix() in paths:
            continue
        if read_stamp(notebook) is not None:
            notebook.unlink()
            if not any(notebook.parent.iterdir()):
                notebook.parent.rmdir()


# Building the HTML


def write_toc(parts: Sequence[Part], root: Path) -> None:
    """Write book/_toc.yml; the first page of the first part is the book's first page."""
    (first, *rest), others = parts[0].pages, parts[1:]
    entries = []
    for part in [Part(parts[0].caption, tuple(rest)), *others]:
        if part.pages:
            entry: dict[str, Any] = {"caption": part.caption} if part.caption else {}
            entries.append(entry | {"chapters": [_toc_entry(page) for page in part.pages]})
    table = {"format": "jb-book", "root": first.path, "parts": entries}
    text = yaml.safe_dump(table, sort_keys=False, allow_unicode=True)
    (root / "book" / "_toc.yml").write_text(text, encoding="utf-8")


def _toc_entry(page: Page) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": page.path, "title": page.title}
    if page.children:
        entry["sections"] = [_toc_entry(child) for child in page.children]
    return entry


def install_mathjax(root: Path, console: Console) -> None:
    """Put MathJax into book/assets, from where the build copies it as it is.

    Where it was not fetched, an empty script takes its place and formulas are shown as TeX.
    """
    target = root / "book/assets/mathjax/tex-svg.js"
    source = root / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            shutil.copyfile(source, target)
    else:
        console.print(f"{MATHJAX} is missing: formulas are shown as TeX")
        target.write_text("", encoding="utf-8")


def _built(memory: Path) -> dict:
    """What the last build wrote of itself; nothing where that is damaged, so that all is built."""
    try:
        built = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return built if isinstance(built, dict) else {}


def build_html(root: Path, strict: bool, console: Console) -> Path:
    """Build book/_build/html with Jupyter Book, unless it is up to date; returns its first page.

    Pages that did not change are kept from the last build. After a build that failed, and for a
    changed frame (settings, contents, styles: every page shows it), everything is built anew.
    The output is kept in build/book.log. Raises `BookError`.
    """
    book, target, log = root / "book", root / "book/_build", root / LOG
    page, memory = root / FIRST_PAGE, target / "built.json"
    frame_files = [root / "_config.yml", book / "_toc.yml", *_files(book / "_static")]
    frame_files += _files(book / "assets")
    sources = [*book.rglob("*.md"), *book.rglob("*.ipynb")]
    state = {
        "frame": digest(frame_files),
        "pages": digest(path for path in sources if target not in path.parents),
        "strict": strict,
    }
    built = _built(memory)
    if page.is_file() and built in (state, state | {"strict": True}):
        console.print("HTML: up to date")
        return page
    # Strict builds start afresh, too: warnings of pages that are kept would not be repeated.
    if strict or built.get("frame") != state["frame"]:
        shutil.rmtree(target, ignore_errors=True)
    memory.unlink(missing_ok=True)
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", "book", "--path-output", "book"]
    command += ["--config", str(root / "_config.yml"), "--toc", str(book / "_toc.yml")]
    command += ["--warningiserror", "--keep-going"] if strict else []
    log.parent.mkdir(parents=True, exist_ok=True)
    code = _run_sphinx(command, root, log, console)
    if code != 0:
        lines = log.read_text(encoding="utf-8").splitlines()
        said = [line for line in lines if re.search("WARNING|ERROR|[Ee]rror:", line)]
        raise BookError("\n".join([f"the HTML build failed, see {LOG}:", *said[:10]]))
    for made in (target / "html").rglob("*.html"):
        _drop_font_preloads(made)
    memory.write_text(json.dumps(state), encoding="utf-8")
    return page


def _drop_font_preloads(page: Path) -> None:
    """The theme preloads fonts in a way that browsers refuse for a page opened from disk."""
    text = page.read_text(encoding="utf-8")
    shorter = re.sub(r'<link rel="preload" as="font"[^>]*>', "", text)
    if shorter != text:
        page.write_text(shorter, encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _run_sphinx(command: Sequence[str], root: Path, log: Path, console: Console) -> int:
    """Run the build with its output in a log file and a bar from the percentages it prints."""
    with (
        subprocess.Popen(
            command,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process,
        log.open("w", encoding="utf-8") as out,
        progress_bar(console) as progress,
    ):
        bar = progress.add_task("Building HTML", total=200)
        assert process.stdout is not None
        for coloured in process.stdout:
            line = re.sub(r"\x1b\[[\d;]*m", "", coloured)
            out.write(line)
            match = re.match(r"(reading sources|writing output)\.\.\. \[ *(\d+)%\]", line)
            if match:
                offset = 100 if match[1].startswith("writing") else 0
                progress.update(bar, completed=offset + int(match[2]))
        progress.update(bar, completed=200)
    return process.returncode
