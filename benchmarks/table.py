"""Run every benchmark and print one table of what they measured.

    python benchmarks/table.py [knn ranking ...]

Each runs in a process of its own. Run it on a machine that does nothing else.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import LINES, Line

SCRIPTS = (
    "knn",
    "ranking",
    "metrics",
    "false_positives",  # prints a table of its own
    "shallow",
    "hybrid",
    "bimodal",
    "bert4rec",
    "acarec",
    "musicnn",
)


def number(value: float | None, form: str) -> str:
    """A cell."""
    return "" if value is None else format(value, form)


def row(line: Line) -> str:
    """A line of the table."""
    times = None if line.published is None else line.published / line.seconds
    over = None if line.floor is None else line.seconds / line.floor
    cells = (
        line.stage,
        number(line.published, "g"),
        number(line.seconds, ".3g"),
        number(times, ".1f"),
        number(line.cpu_seconds, ".3g"),
        number(line.floor, ".3g"),
        number(over, ".1f"),
        number(line.gflops, ".0f"),
        number(line.published_mb, ",.0f"),
        number(line.peak_mb, ",.0f"),
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run and print; the exit status is 1 if a benchmark failed."""
    folder = Path(__file__).parent
    failed = []
    with tempfile.TemporaryDirectory() as name:
        lines = Path(name, "lines.jsonl")
        for script in sys.argv[1:] or SCRIPTS:
            print(f"== {script}", flush=True)
            command = [sys.executable, str(folder / f"{script}.py")]
            if subprocess.run(
                command, env=os.environ | {LINES: str(lines)}, check=False
            ).returncode:
                failed.append(script)
        written = lines.read_text(encoding="utf-8").splitlines() if lines.exists() else []
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print("published: measured with the published scripts on 2 other cores (280-326 GFLOP/s)\n")
    heads = "stage|published s|s|times faster|cpu s|floor s|over floor|GFLOP/s|published MB|MB"
    print(f"| {' | '.join(heads.split('|'))} |")
    print(f"|{'---|' * len(heads.split('|'))}")
    for line in written:
        print(row(Line(**json.loads(line))))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
