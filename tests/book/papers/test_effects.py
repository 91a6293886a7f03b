"""Effects of single deviations: pairs of runs, and differences recomputed by hand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mrs.data.dataset import open_dataset
from mrs.evaluation.bootstrap import difference
from mrs.study.archive import Archive
from mrs.study.grid import by_fit
from mrs.study.run import run_fit
from mrs.study.spec import run_key
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.papers import effects as module
from mrs_book.papers.deviation_table import DeviationRow, deviation
from mrs_book.papers.effects import Measured, effects, make_archive, missing, pairs

WORLD = "demo:n_users=60,n_tracks=90,n_artists=20,n_cold=20"
STUDY = """
title: small
recommenders: [knn, shallow: {max_epochs: 2, n_components: 4}, elsa: {max_epochs: 2}]
"""
ROWS = ("cold_k", "frozen_flags")


def rows() -> tuple[DeviationRow, ...]:
    """Two rows; lists of another length are read of KNN alone."""
    cold_k, *others = map(deviation, ROWS)
    return DeviationRow(**vars(cold_k) | {"recommenders": ("knn",)}), *others


@pytest.fixture(scope="module")
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a study, and the module asking for two backends and three seeds."""
    folder = tmp_path_factory.mktemp("effects")
    (folder / "effects.yaml").write_text(STUDY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setenv("MRS_DATA", str(folder / "data"))
        monkey.setattr(module, "deviations", rows)
        monkey.setattr(module, "BACKENDS", ("mule", "encodecmae"))
        monkey.setattr(module, "SEEDS", (0, 1))
        yield folder


@pytest.fixture(scope="module")
def measured(patch: Path) -> Measured:
    """Both sides of every pair, run and packed."""
    world, store = open_dataset(WORLD), Store(patch / "store")
    for fit in by_fit(module._specs(pairs(load_study(patch / "effects.yaml"), world))):
        run_fit(fit, store, world)
    archive = patch / "effects.parquet"
    make_archive(archive, store, dataset=WORLD, workers=1)  # has nothing to compute
    return Measured(archive, WORLD)


def test_pairs_differ_in_the_protocol_alone(measured: Measured):
    found = measured.pairs
    # cold_k: KNN on two backends, one seed; frozen_flags: two backends, scenarios and seeds
    assert len(found) == 2 + 2 * 2 * 2
    for pair in found:
        assert pair.corrected.recommender.protocol == "corrected"
        if pair.deviation == "cold_k":
            assert pair.published == pair.corrected
            assert (pair.metric, pair.published_metric) == ("ndcg@20", "ndcg@50")
        else:
            assert pair.published.recommender.protocol == f"published:{pair.deviation}"
            assert pair.metric == pair.published_metric
        ours, theirs = pair.corrected.identity(), pair.published.identity()
        differ = {name for name in ours if ours[name] != theirs[name]}
        assert differ <= {"protocol", "settings"}
    settings = next(pair for pair in found if pair.deviation == "frozen_flags").corrected.settings
    assert (settings["max_epochs"], settings["train_users"]) == (2, True)


def test_an_effect_by_hand(measured: Measured):
    """One deviation's numbers from the runs' per-user scores, without the code under test."""
    archive = Archive(measured.archive.path)
    runs = archive.runs.filter(recommender="shallow", scenario="hot")
    both = {}
    for protocol in ("corrected", "published:frozen_flags"):
        mine = runs.filter(protocol=protocol).sort("seed", "backend")
        both[protocol] = archive.values(mine["place"].to_list(), "ndcg@50").reshape(2, 2, -1)
    corrected, published = (both[name].mean(axis=1) for name in both)  # over backends: [seeds x U]
    (row,) = (
        measured.effects().filter(deviation="frozen_flags", scenario="hot").iter_rows(named=True)
    )
    assert row["corrected"] == pytest.approx(corrected.mean())
    assert row["published"] == pytest.approx(published.mean())
    assert row["difference"] == pytest.approx((published - corrected).mean(), abs=1e-12)
    by_seed = (published - corrected).mean(axis=1)
    assert row["seed_sd"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / np.sqrt(2))
    assert (row["n_seeds"], row["n_users"]) == corrected.shape
    ((_, low, high),) = difference(published[:, :, None], corrected[:, :, None]).rows()
    assert (row["low"], row["high"]) == (low, high)


def test_list_lengths_are_two_metrics_of_one_run(measured: Measured):
    (row,) = measured.effects().filter(deviation="cold_k").iter_rows(named=True)
    runs = measured.archive.runs.filter(recommender="knn", scenario="cold", protocol="corrected")
    at = {k: measured.archive.values(runs["place"].to_list(), f"ndcg@{k}").mean() for k in (20, 50)}
    assert row["difference"] == pytest.approx(at[50] - at[20])
    assert row["seed_sd"] is None
    assert row["scenario"] == "cold"


def test_every_effect_has_its_row(measured: Measured):
    found = measured.effects().select("deviation", "scenario").rows()
    both = [(name, scenario) for name in ROWS[1:] for scenario in ("hot", "cold")]
    assert found == [("cold_k", "cold"), *both]
    assert measured.missing() == []


def test_a_seed_without_a_run_is_left_out(measured: Measured):
    lost = next(
        pair.published
        for pair in measured.pairs
        if pair.deviation == "frozen_flags" and pair.published.seed == 1
    )

    def read(spec):  # type: ignore[no-untyped-def]
        return None if spec == lost else measured.read(spec)

    found = effects(measured.pairs, read).filter(deviation="frozen_flags", scenario=lost.scenario)
    assert found["n_seeds"].to_list() == [1]
    assert missing(measured.pairs, read) == [lost]
    assert 0 < measured.hours([lost]) < 0.1


def test_nothing_there(patch: Path):
    (patch / "none.yaml").write_text(STUDY, encoding="utf-8")
    empty = Measured(patch / "none.parquet", WORLD)
    assert empty.effects().is_empty()
    assert empty.hours(empty.missing()) is None
    assert set(empty.missing()) == set(module._specs(empty.pairs))


def test_runs_that_the_store_has_are_packed_without_computing(measured: Measured, patch: Path):
    world, study, store = (
        open_dataset(WORLD),
        load_study(patch / "effects.yaml"),
        Store(patch / "half"),
    )
    spec = pairs(study, world)[0].corrected
    record = measured.read(spec)
    store.write(run_key(spec, world, store.digests), record.info, record.users)
    (patch / "half.yaml").write_text(STUDY, encoding="utf-8")
    make_archive(patch / "half.parquet", store, dataset=WORLD, compute=False)
    assert Archive(patch / "half.parquet").runs["place"].len() == 1
