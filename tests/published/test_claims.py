"""Claims and their checks: verdicts follow from values and tolerances, by hand."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mrs.backends import BACKENDS
from mrs.errors import InputError
from mrs.published import claims, results
from mrs.published.claim_checks import HERE
from mrs.published.claim_checks_listening import LISTENING
from mrs.published.claims import (
    CELLS,
    CONTRADICTED,
    NOT_TESTABLE,
    PARTLY,
    REPRODUCED,
    SECONDARY,
    Claim,
    Evidence,
    Listening,
)
from mrs.published.judge import judge, judge_all

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "mrs/published/data/claims.csv"


def make(check: str, tolerance: float = 0.95, **arguments: object) -> Claim:
    return Claim(
        id="a",
        paper="2604.23077",
        claim="",
        source="",
        mark="nb",
        check=check,
        arguments=arguments,
        tolerance=tolerance,
        unit="",
        reason="",
        page="",
        study="",
        wanted="",
    )


def cells(means: dict[tuple[str, str, str], float], shuffled: bool = False) -> pl.DataFrame:
    """Cells of (recommender, scenario, backend) -> mean."""
    rows = [
        {
            "recommender": recommender,
            "variant": "",
            "backend": backend,
            "label": backend,
            "scenario": scenario,
            "shuffled": shuffled,
            "metric": "recall@50",
            "mean": mean,
            "runs": 1,
        }
        for (recommender, scenario, backend), mean in means.items()
    ]
    return pl.DataFrame(rows, schema=CELLS)


def line(recommender: str, scenario: str, means: dict[str, float]) -> dict:
    """All ten backends at 0.1, but those that are named."""
    return {(recommender, scenario, name): means.get(name, 0.1) for name in BACKENDS}


def check(claim: Claim, frame: pl.DataFrame, semi_cold: float | None = None) -> tuple[str, str]:
    found = LISTENING[claim.check](claim, Listening("real", frame, semi_cold))
    return found.verdict, found.found


# The table


def test_the_table_is_sound():
    every = claims.load()
    assert len(every) >= 25
    assert len({claim.id for claim in every}) == len(every)
    assert {claim.paper for claim in every} == set(claims.PAPERS)
    assert {claim.check for claim in every} == HERE.keys() | LISTENING.keys()
    for claim in every:
        assert all((claim.unit, claim.reason, claim.claim, claim.page)), claim.id
        assert not claim.study or (ROOT / claim.study).is_file(), claim.id
        secondary = claim.mark == SECONDARY
        assert secondary == (claim.source == "reported by secondary sources"), claim.id
        if claim.check in LISTENING:
            assert claim.wanted, claim.id


def test_the_table_holds_no_verdict():
    rows = pl.read_csv(TABLE, infer_schema=False)
    assert "verdict" not in rows.columns
    text = TABLE.read_text()
    assert not any(verdict in text for verdict in claims.VERDICTS)


def test_a_mark_of_no_kind_is_refused(tmp_path: Path):
    copy = tmp_path / "claims.csv"
    copy.write_text(TABLE.read_text().replace(",nb,", ",mem,"))
    with pytest.raises(InputError, match="mark is 'mem'"):
        claims.read(copy)


def test_an_unknown_claim_is_refused():
    with pytest.raises(InputError, match="claim 'p9' is unknown"):
        claims.find("p9")


# Rules


@pytest.mark.parametrize(
    ("n", "verdict"), [(10, REPRODUCED), (9, REPRODUCED), (6, PARTLY), (5, CONTRADICTED)]
)
def test_shares(n: int, verdict: str):
    found = claims.of_share(n, 10, make("", 0.9), "values")
    assert (found.found, found.verdict) == (f"{n} of 10 values ({n * 10}%)", verdict)


@pytest.mark.parametrize(
    ("value", "verdict"), [(2.0, REPRODUCED), (0.1, PARTLY), (0.0, CONTRADICTED)]
)
def test_sizes(value: float, verdict: str):
    assert claims.of_size(value, make("", 2), "").verdict == verdict


@pytest.mark.parametrize(
    ("mine", "verdict"), [(1.0, REPRODUCED), (0.96, PARTLY), (0.94, CONTRADICTED)]
)
def test_what_the_best_may_lack(mine: float, verdict: str):
    assert claims.lacks(mine, 1.0, make("", 0.05), "").verdict == verdict


@pytest.mark.parametrize(
    ("rhos", "verdict"),
    [([0.1, 0.2, 0.9], REPRODUCED), ([0.1, 0.8, 0.9], PARTLY), ([0.8, 0.9], CONTRADICTED)],
)
def test_orders(rhos: list[float], verdict: str):
    assert claims.differ(rhos, make("", 0.7)).verdict == verdict


# What was computed on listens


def best(means: dict[str, float]) -> str:
    claim = make(
        "best_backend",
        0.05,
        recommenders=["knn"],
        scenario="hot",
        backend="muq",
        metric="recall@50",
        fewest=10,
    )
    return check(claim, cells(line("knn", "hot", means)))[0]


def test_the_best_backend():
    assert best({"muq": 0.2}) == REPRODUCED
    assert best({"muq": 0.2, "mert": 0.205}) == PARTLY
    assert best({"muq": 0.2, "mert": 0.3}) == CONTRADICTED


def test_a_missing_backend_makes_it_untestable():
    claim = make(
        "best_backend",
        0.05,
        recommenders=["knn"],
        scenario="hot",
        backend="muq",
        metric="recall@50",
        fewest=10,
    )
    frame = cells(line("knn", "hot", {"muq": 0.2})).filter(pl.col("backend") != "mert")
    assert check(claim, frame)[0] == NOT_TESTABLE
    assert check(claim, cells({}))[0] == NOT_TESTABLE
    shuffled = cells(line("knn", "hot", {"muq": 0.2}), shuffled=True)
    assert check(claim, shuffled)[0] == NOT_TESTABLE


def test_plain_collaborative_filtering_above_all():
    claim = make("above_all", 1.0, recommender="elsa", scenario="hot", metric="recall@50")
    audio = {("knn", "hot", "muq"): 0.2, ("shallow", "hot", "muq"): 0.3}
    assert check(claim, cells(audio | {("elsa", "hot", ""): 0.4}))[0] == REPRODUCED
    verdict, found = check(claim, cells(audio | {("elsa", "hot", ""): 0.25}))
    assert (verdict, found) == (CONTRADICTED, "1 of 2 rows with vectors are below it (50%)")
    assert check(claim, cells(audio))[0] == NOT_TESTABLE


def test_orders_and_places():
    rising = {name: 0.1 + i / 100 for i, name in enumerate(BACKENDS)}
    falling = {name: 0.3 - i / 100 for i, name in enumerate(BACKENDS)}
    same = cells(line("knn", "hot", rising) | line("knn", "cold", rising))
    other = cells(line("knn", "hot", rising) | line("knn", "cold", falling))
    claim = make("orders_differ", 0.7, metric="recall@50", fewest=10)
    assert check(claim, same)[0] == CONTRADICTED
    assert check(claim, other)[0] == REPRODUCED
    first = next(iter(BACKENDS))  # the last in hot
    moved = make("rank_moves", 2, backend=first, metric="recall@50", fewest=10)
    assert check(moved, other) == (REPRODUCED, "mean rank 10.0 in hot, 1.0 in cold")
    assert check(moved, same)[0] == CONTRADICTED
    assert check(moved, cells(line("knn", "hot", rising)))[0] == NOT_TESTABLE


def test_real_above_shuffled():
    claim = make("real_above_shuffled", 0.95, scenario="hot", metric="recall@50")
    real = cells({("knn", "hot", "muq"): 0.2, ("knn", "hot", "mert"): 0.1})
    control = cells({("knn", "hot", "muq"): 0.1, ("knn", "hot", "mert"): 0.1}, shuffled=True)
    assert check(claim, pl.concat([real, control])) == (
        CONTRADICTED,
        "1 of 2 cells are higher with the vectors in place (50%)",
    )
    assert check(claim, real)[0] == NOT_TESTABLE


def test_one_recommender_against_another():
    frame = cells(
        line("knn", "hot", {"muq": 0.2}) | line("bert4rec", "hot", {"muq": 0.05, "mert": 0.01})
    )
    wanted = {"scenario": "hot", "metric": "recall@50", "fewest": 7}
    claim = make("better_with", 2, backend="muq", recommender="knn", other="bert4rec", **wanted)
    assert check(claim, frame) == (REPRODUCED, "rank 1 and 9")
    below = make("below_backend", 1, backend="muq", recommenders=["bert4rec"], **wanted)
    assert check(below, frame) == (REPRODUCED, "below it: mert")
    assert check(below, cells({}))[0] == NOT_TESTABLE


def test_groups_of_recommenders():
    groups = {"group": ["acarec"], "over": ["gar", "heater"]}
    claim = make("doubled", 2.0, scenario="cold", metrics=["recall@50"], **groups)
    base = {("gar", "cold", "muq"): 0.1, ("heater", "cold", "muq"): 0.08}
    for mean, verdict in ((0.2, REPRODUCED), (0.15, PARTLY), (0.1, CONTRADICTED)):
        frame = cells(base | {("acarec", "cold", "muq"): mean})
        assert check(claim, frame)[0] == verdict
    assert check(claim, cells(base))[0] == NOT_TESTABLE
    ahead = make(
        "best_recommender", 0.0, recommender="gar", over=["heater"], scenario="cold",
        metric="recall@50",
    )  # fmt: skip
    assert check(ahead, cells(base))[0] == REPRODUCED
    behind = replace(ahead, arguments=ahead.arguments | {"recommender": "heater", "over": ["gar"]})
    assert check(behind, cells(base))[0] == CONTRADICTED


def test_a_claimed_gain():
    wanted = {"recommender": "acarec", "over": ["gar", "heater"], "scenario": "cold"}
    claim = make("gain", 1.0, dataset="real", percent=10.0, metric="recall@50", **wanted)
    others = {("gar", "cold", "muq"): 0.2, ("heater", "cold", "muq"): 0.1}
    for mean, verdict in ((0.221, REPRODUCED), (0.23, PARTLY), (0.19, CONTRADICTED)):
        frame = cells(others | {("acarec", "cold", "muq"): mean})
        assert check(claim, frame)[0] == verdict
    assert check(claim, frame)[1] == "0.1900 against 0.2000: -5.0 %"
    assert check(claim, cells(others))[0] == NOT_TESTABLE
    elsewhere = replace(claim, arguments=claim.arguments | {"dataset": "yambda"})
    assert check(elsewhere, frame) == (NOT_TESTABLE, "real is not the data that it is about")


def test_what_a_part_is_worth():
    changes = [{"fusion": "residual"}, {"fusion": "glu"}]
    wanted = {"recommender": "acarec", "scenario": "cold", "metric": "recall@50"}
    claim = make("lost_without", 0.05, variants=changes, **wanted)
    whole = cells({("acarec", "cold", "muq"): 0.3, ("acarec", "cold", "mert"): 0.1})

    def without(fusion: str, mean: float) -> pl.DataFrame:
        frame = cells({("acarec", "cold", "muq"): mean, ("acarec", "cold", "mert"): 0.1})
        return frame.with_columns(variant=pl.lit(f'{{"fusion": "{fusion}"}}'))

    # Of 0.4 on both backends, 0.04 are lost with the one and 0.02 with the other.
    found = check(claim, pl.concat([whole, without("residual", 0.26), without("glu", 0.28)]))
    text = 'lost: 10.0% with {"fusion": "residual"}, 5.0% with {"fusion": "glu"}'
    assert found == (REPRODUCED, text)
    less = pl.concat([whole, without("residual", 0.26), without("glu", 0.29)])
    assert check(claim, less)[0] == PARTLY
    none = pl.concat([whole, without("residual", 0.26), without("glu", 0.3)])
    assert check(claim, none)[0] == CONTRADICTED
    assert check(claim, pl.concat([whole, without("glu", 0.2)]))[0] == NOT_TESTABLE


def test_artists():
    claim = make("semi_cold", 0.5)
    assert check(claim, cells({}), 0.6) == (REPRODUCED, "60% of the cold tracks")
    assert check(claim, cells({}), 0.5)[0] == CONTRADICTED
    assert check(claim, cells({}))[0] == NOT_TESTABLE


def test_generated_data_decide_nothing():
    claim = next(c for c in claims.load() if c.id == "p2-best-hot-shallow")
    frame = cells(line("shallow", "hot", {"muq": 0.2}))
    beside = judge(claim, Evidence(generated=Listening("demo", frame)))
    assert beside.verdict == NOT_TESTABLE
    assert "muq 0.2000" in beside.generated
    assert "no real listening" in beside.found
    decided = judge(claim, Evidence(real=Listening("onion", frame)))
    assert (decided.verdict, decided.generated) == (REPRODUCED, "")
    assert "to test" in beside.as_text()
    assert "to test" not in decided.as_text()
    assert json.dumps(beside.as_json())


# Printed numbers: a changed copy changes the verdict


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    every = [claim for claim in claims.load() if claim.check in HERE]
    return {one.claim.id: one.verdict for one in judge_all(every, Evidence())}


def col(**values: str) -> pl.Expr:
    return pl.all_horizontal(pl.col(name) == value for name, value in values.items())


MEAN = pl.col("mean")
CHANGES = {
    "p2-cold-cutoff": (col(scenario="cold", embeddings="shuffled"), MEAN * 0.44),
    "p2-improvement": (col(recommender="hybrid", embeddings="real"), MEAN * 2),
    "p2-improvement-100": (col(variant="100"), MEAN * 2),
    "p2-percentages": (col(embeddings="shuffled"), MEAN * 50),
    "p2-gain-hot": (col(scenario="hot", embeddings="real"), MEAN * 9),
    "p2-gain-cold": (col(scenario="cold", embeddings="real"), MEAN / 9),
    "p2-knn-hot": (col(scenario="hot", recommender="knn"), MEAN + 0.01),
    "p2-knn-cold": (col(scenario="cold", recommender="knn"), MEAN / 9),
    "p2-best-separated": (col(backend="muq", embeddings="real"), MEAN + 9),
    "p2-elsa-printed": (col(recommender="elsa"), MEAN / 9),
    "p2-orders-printed": (col(scenario="cold", embeddings="real"), pl.lit(0.1)),
    "p2-jukebox-printed": (col(scenario="cold", backend="jukebox"), MEAN + 9),
    "p2-musicnn-printed": (col(backend="muq", scenario="hot"), MEAN + 9),
    "p2-muq-printed": (col(backend="mert", scenario="cold"), MEAN + 9),
    "p2-printed-twice": (pl.col("source_cell") != 6, MEAN + 9),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_numbers_give_another_verdict(
    name: str, verdicts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen, value = CHANGES[name]
    if name == "p2-orders-printed":  # the same order in cold as in hot
        rows = results.load()
        hot = rows.filter(col(scenario="hot"), pl.col("source_cell") == 6)
        key = ["backend", "recommender", "variant", "embeddings", "metric"]
        hot = hot.select(*key, scenario=pl.lit("cold"), source_cell=pl.lit(6), hot="mean")
        rows = rows.join(hot, on=[*key, "scenario", "source_cell"], how="left")
        rows = rows.with_columns(mean=pl.coalesce("hot", "mean")).drop("hot")
    else:
        rows = results.load().with_columns(mean=pl.when(chosen).then(value).otherwise(MEAN))
    rows.write_csv(tmp_path / "results.csv")
    changed = pl.read_csv(tmp_path / "results.csv", schema_overrides={"variant": pl.String})
    monkeypatch.setattr(results, "load", lambda: changed)
    (claim,) = claims.find(name)
    assert judge(claim, Evidence()).verdict != verdicts[name]


def test_every_printed_claim_is_decided(verdicts: dict[str, str]):
    untestable = {name for name, verdict in verdicts.items() if verdict == NOT_TESTABLE}
    assert untestable == {"p2-validation", "p2-mir", "p1-mir", "p4-definitions"}


def test_another_tolerance_gives_another_verdict(verdicts: dict[str, str], tmp_path: Path):
    copy = tmp_path / "claims.csv"
    rows = pl.read_csv(TABLE, infer_schema=False)
    changed = pl.when(pl.col("id") == "p2-intervals").then(pl.lit("0.9"))
    rows.with_columns(tolerance=changed.otherwise(pl.col("tolerance"))).write_csv(copy)
    claim = next(claim for claim in claims.read(copy) if claim.id == "p2-intervals")
    assert verdicts["p2-intervals"] == PARTLY
    assert judge(claim, Evidence()).verdict == REPRODUCED


def test_counts_of_a_file(tmp_path: Path):
    claim = make("file_counts", 0, file="val.pqt", pairs=3, listeners=2, tracks=2)
    evidence = Evidence(data=tmp_path)
    assert judge(claim, evidence).verdict == NOT_TESTABLE
    (tmp_path / "music4all").mkdir()
    pairs = pl.DataFrame({"user_id": [1, 1, 2], "track_id": [7, 8, 8]})
    pairs.write_parquet(tmp_path / "music4all/val.pqt")
    found = judge(claim, evidence)
    assert (found.verdict, found.found) == (REPRODUCED, "3 pairs, 2 listeners, 2 tracks")
    wrong = replace(claim, arguments=claim.arguments | {"tracks": 9})
    assert judge(wrong, evidence).verdict == PARTLY
