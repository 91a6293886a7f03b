"""Compute the ranking metrics of eleven libraries on the audit's inputs. Run by `make audit`.

    PYTHONPATH=notebooks .venv-audit/bin/python audit/live.py --out results/audit/live.csv

The environment that holds the libraries does not hold the packages of mrs, so this file uses the
standard library, numpy, `audit_cases` and the libraries themselves. Each library gets the same
lists and the same truth in the form that its documentation states, and nothing is corrected on the
way.

Columns written: library, version, metric, k, input, value, function, note, date. What a library
refuses or fails at is a row without a value whose note says why; a library that is not installed is
one row.
"""

import argparse
import csv
import datetime
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mrs_book.papers.audit_cases import COLUMNS, Case, cases

# A value to compute: metric, cutoff, name of the function, and the call itself.
Question = tuple[str, "int | str", str, Callable[[], Any]]


class CannotBeAskedError(Exception):
    """The library takes its input in a form that cannot express the case."""


# One function per library. Each yields questions; imports stand inside, so that one missing library
# does not stop the others.


def rs_metrics(case: Case) -> Iterator[Question]:
    """Dictionaries of items."""
    import rs_metrics as rs

    truth = {user: list(items) for user, items in case.truth.items()}
    names = ("hitrate", "precision", "recall", "mrr", "mapr", "ndcg")
    for k in case.ks:
        for metric, name in zip(BINARY, names, strict=True):
            yield metric, k, name, partial(getattr(rs, name), truth, case.lists, k=k)
        if case.train:
            train, catalogue = _train_frame(case), list(range(case.n_items))
            yield "Coverage", k, "coverage", partial(rs.coverage, catalogue, case.lists, k=k)
            for metric, name in (("Popularity", "popularity"), ("Surprisal", "surprisal")):
                yield metric, k, name, partial(getattr(rs, name), train, case.lists, k=k)


def ranx(case: Case) -> Iterator[Question]:
    """Dictionaries of scores; users without a list are added empty by make_comparable."""
    from ranx import Qrels, Run, evaluate

    _refuse_repeats(case)
    run = Run({f"u{u}": _by_item(case, u) for u in case.lists if case.lists[u]})
    truth = {f"u{u}": {f"i{i}": r for i, r in row.items()} for u, row in case.truth.items()}
    graded = Qrels(truth)
    binary = Qrels({user: dict.fromkeys(row, 1) for user, row in truth.items()})

    def value(qrels: Any, name: str) -> float:
        return float(evaluate(qrels, run, name, make_comparable=True))

    names = ("hit_rate", "precision", "recall", "mrr", "map", "ndcg")
    for k in case.ks:
        for metric, name in zip(BINARY, names, strict=True):
            yield metric, k, name, partial(value, binary, f"{name}@{k}")
        for name in ("ndcg", "ndcg_burges"):
            yield "NDCG_graded", k, name, partial(value, graded, f"{name}@{k}")


def pytrec_eval(case: Case) -> Iterator[Question]:
    """The mean of the values that evaluate() returns, one per user."""
    import pytrec_eval as trec

    _refuse_repeats(case)
    run = {f"u{u}": _by_item(case, u) for u in case.lists}
    truth = {f"u{u}": {f"i{i}": r for i, r in row.items()} for u, row in case.truth.items()}
    binary = {user: dict.fromkeys(row, 1) for user, row in truth.items()}

    def value(qrels: Any, measure: str) -> float:
        result = trec.RelevanceEvaluator(qrels, {measure}).evaluate(run)
        return float(np.mean([row[measure.replace(".", "_")] for row in result.values()]))

    names = {"HitRate": "success", "Precision": "P", "Recall": "recall", "MAP": "map_cut"}
    for k in case.ks:
        for metric, name in (names | {"NDCG": "ndcg_cut"}).items():
            yield metric, k, name, partial(value, binary, f"{name}.{k}")
        yield "NDCG_graded", k, "ndcg_cut", partial(value, truth, f"ndcg_cut.{k}")
    length = f"list({max(map(len, case.lists.values()))})"
    yield "MRR", length, "recip_rank", partial(value, binary, "recip_rank")
    yield "MAP", length, "map", partial(value, binary, "map")


def ir_measures(case: Case) -> Iterator[Question]:
    """calc_aggregate on dictionaries."""
    import ir_measures as ir

    _refuse_repeats(case)
    # User ids are numbers: gdeval, which nDCG(dcg="exp-log2") calls, takes no others.
    run = {str(u + 1): _by_item(case, u) for u in case.lists}
    truth = {str(u + 1): {f"i{i}": r for i, r in row.items()} for u, row in case.truth.items()}
    binary = {user: dict.fromkeys(row, 1) for user, row in truth.items()}

    def value(measure: Any, qrels: Any) -> float:
        return float(ir.calc_aggregate([measure], qrels, run)[measure])

    def exponential(k: int) -> float:
        if max(rating for row in truth.values() for rating in row.values()) > 4:
            raise CannotBeAskedError("gdeval, which it calls, takes ratings of 0 to 4")
        return value(ir.nDCG(dcg="exp-log2") @ k, truth)

    measures = (ir.Success, ir.P, ir.R, ir.RR, ir.AP, ir.nDCG)
    for k in case.ks:
        for metric, measure in zip(BINARY, measures, strict=True):
            yield metric, k, measure.NAME, partial(value, measure @ k, binary)
        yield "NDCG_graded", k, "nDCG", partial(value, ir.nDCG @ k, truth)
        yield "NDCG_graded", k, "nDCG(dcg='exp-log2')", partial(exponential, k)


def rectools(case: Case) -> Iterator[Question]:
    """Frames of user, item and rank."""
    import pandas as pd
    from rectools import metrics as rt

    rows = list(case.pairs())
    lists = pd.DataFrame(
        {
            "user_id": [r[0] for r in rows],
            "item_id": [r[1] for r in rows],
            "rank": [r[3] for r in rows],
        }
    )
    pairs = [(user, item) for user, items in case.truth.items() for item in items]
    truth = pd.DataFrame(pairs, columns=["user_id", "item_id"])

    def value(metric: Any) -> float:
        return float(metric.calc(lists, truth))

    for k in case.ks:
        for metric, name, function in (
            ("HitRate", "HitRate", rt.HitRate(k)),
            ("Precision", "Precision", rt.Precision(k)),
            ("Precision", "Precision(r_precision=True)", rt.Precision(k, r_precision=True)),
            ("Recall", "Recall", rt.Recall(k)),
            ("MRR", "MRR", rt.MRR(k)),
            ("MAP", "MAP", rt.MAP(k)),
            ("MAP", "MAP(divide_by_k=True)", rt.MAP(k, divide_by_k=True)),
            ("NDCG", "NDCG", rt.NDCG(k)),
            ("NDCG", "NDCG(divide_by_achievable=True)", rt.NDCG(k, divide_by_achievable=True)),
            ("AUC@k", "PartialAUC", rt.PartialAUC(k)),
        ):
            yield metric, k, name, partial(value, function)
        if case.train:
            train, catalogue = _train_frame(case), list(range(case.n_items))
            coverage = rt.CatalogCoverage(k, normalize=True)
            name = "CatalogCoverage(normalize=True)"
            yield "Coverage", k, name, partial(coverage.calc, lists, catalogue)
            for metric, beyond in (
                ("Popularity", rt.AvgRecPopularity(k)),
                ("Surprisal", rt.MeanInvUserFreq(k)),
            ):
                yield metric, k, type(beyond).__name__, partial(beyond.calc, lists, train)


def replay(case: Case) -> Iterator[Question]:
    """Dictionaries of (item, score)."""
    from replay import metrics as rp

    lists = {
        user: list(zip(items, case.scores[user], strict=True)) for user, items in case.lists.items()
    }
    truth = {user: list(items) for user, items in case.truth.items()}

    def value(metric: Any, other: Any) -> float:
        (found,) = metric(lists, other).values()
        return float(found)

    names = ("HitRate", "Precision", "Recall", "MRR", "MAP", "NDCG")
    for k in case.ks:
        for name in names:
            yield name, k, name, partial(value, getattr(rp, name)(k), truth)
        yield "AUC@k", k, "RocAuc", partial(value, rp.RocAuc(k), truth)
        if case.train:
            name = "Coverage (vs train items)"
            yield "Coverage", k, name, partial(value, rp.Coverage(k), case.train)
            yield "Surprisal", k, "Surprisal", partial(value, rp.Surprisal(k), case.train)


def cornac(case: Case) -> Iterator[Question]:
    """One call per user with truth, averaged here: cornac's own loop needs one of its models."""
    from cornac import metrics as co

    def value(metric: Any) -> float:
        return _mean(
            metric.compute(gt_pos=np.array(list(row)), pd_rank=np.array(case.lists.get(user, [])))
            for user, row in case.truth.items()
        )

    def full(metric: Any) -> float:
        scores, items = _full(case), np.arange(case.n_items)
        return _mean(
            metric.compute(item_indices=items, pd_scores=scores[user], gt_pos=np.array(list(row)))
            for user, row in case.truth.items()
        )

    def full_mrr() -> float:
        ranked = np.argsort(-_full(case), axis=1, kind="stable")
        return _mean(
            co.MRR().compute(gt_pos=np.array(list(row)), pd_rank=ranked[user])
            for user, row in case.truth.items()
        )

    for k in case.ks:
        for name, metric in (
            ("HitRate", co.HitRatio(k)),
            ("Precision", co.Precision(k)),
            ("Recall", co.Recall(k)),
            ("NDCG", co.NDCG(k)),
        ):
            yield name, k, f"{type(metric).__name__}.compute", partial(value, metric)
    yield "MRR", max(case.ks), "MRR.compute on top-k list", partial(value, co.MRR())
    if case.full is not None:
        yield "MRR", "full", "MRR.compute", full_mrr
        yield "MAP", "full", "MAP.compute", partial(full, co.MAP())
        yield "AUC", "full", "AUC.compute", partial(full, co.AUC())


def lenskit(case: Case) -> Iterator[Question]:
    """RunAnalysis on collections of lists, averaged with its own rule for missing ones."""
    from lenskit.data import ItemList, ItemListCollection
    from lenskit.metrics import NDCG, Hit, Precision, Recall, RecipRank, RunAnalysis
    from lenskit.metrics.ranking import AveragePrecision, LogRankWeight

    lists = ItemListCollection.from_dict(
        {
            user: ItemList(item_ids=items, scores=case.scores[user], ordered=True)
            for user, items in case.lists.items()
        },
        key="user_id",
    )
    truth = ItemListCollection.from_dict(
        {user: ItemList(item_ids=list(items)) for user, items in case.truth.items()}, key="user_id"
    )

    def value(metric: Any) -> float:
        analysis = RunAnalysis()
        analysis.add_metric(metric, label="value")
        return float(analysis.measure(lists, truth).list_metrics()["value"].mean())

    for k in case.ks:
        for name, label, metric in (
            ("HitRate", "Hit", Hit(k)),
            ("Precision", "Precision", Precision(k)),
            ("Recall", "Recall", Recall(k)),
            ("MRR", "RecipRank", RecipRank(k)),
            ("MAP", "AveragePrecision", AveragePrecision(k)),
            ("NDCG", "NDCG", NDCG(k)),
            (
                "NDCG",
                "NDCG(weight=LogRankWeight(offset=1))",
                NDCG(k, weight=LogRankWeight(offset=1)),
            ),
        ):
            yield name, k, label, partial(value, metric)


def implicit(case: Case) -> Iterator[Question]:
    """ranking_metrics_at_k with a model that answers with the lists."""
    import scipy.sparse as sp
    from implicit.evaluation import ranking_metrics_at_k

    class Lists:
        def recommend(self, users: Any, _: Any, N: int) -> tuple[np.ndarray, np.ndarray]:
            rows = [case.lists.get(int(user), [])[:N] for user in users]
            if len({len(row) for row in rows}) > 1:
                raise CannotBeAskedError("lists of one length only")
            return np.array(rows, dtype=np.int32), np.zeros((len(rows), N), dtype=np.float32)

    n_users = max([*case.truth, *case.lists]) + 1
    rows = [user for user, items in case.truth.items() for _ in items]
    columns = [item for items in case.truth.values() for item in items]
    shape = (n_users, case.n_items)
    truth = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)

    @cache
    def values(k: int) -> dict[str, float]:
        return ranking_metrics_at_k(
            Lists(), sp.csr_matrix(shape), truth, K=k, show_progress=False, num_threads=1
        )

    def value(k: int, name: str) -> float:
        return float(values(k)[name])

    names = {"Precision": "precision", "MAP": "map", "NDCG": "ndcg", "AUC@k": "auc"}
    for k in case.ks:
        for metric, name in names.items():
            yield metric, k, f"ranking_metrics_at_k: {name}", partial(value, k, name)


def torchmetrics(case: Case) -> Iterator[Question]:
    """Flat tensors, once with the list alone and once with the missed relevant items at score 0."""
    import torch
    from torchmetrics import retrieval as tm

    def tensors(missed: bool, graded: bool) -> tuple[Any, Any, Any]:
        users, scores, targets = [], [], []
        for user, item, score, _ in case.pairs():
            rating = case.truth.get(user, {}).get(item, 0)
            users.append(user)
            scores.append(score)
            targets.append(rating if graded else int(rating > 0))
        for user, row in case.truth.items() if missed else ():
            for item, rating in row.items():
                if item not in case.lists.get(user, []):
                    users.append(user)
                    scores.append(0.0)
                    targets.append(rating if graded else 1)
        return torch.tensor(scores), torch.tensor(targets), torch.tensor(users)

    def value(metric: Any, missed: bool, graded: bool = False) -> float:
        scores, targets, users = tensors(missed, graded)
        return float(metric(scores, targets, indexes=users))

    def full() -> float:
        scores = torch.tensor(_full(case).ravel())
        targets = torch.zeros(_full(case).shape, dtype=torch.int64)
        for user, row in case.truth.items():
            targets[user, list(row)] = 1
        users = torch.arange(len(targets)).repeat_interleave(case.n_items)
        return float(tm.RetrievalAUROC()(scores, targets.ravel(), indexes=users))

    names = ("HitRate", "Precision", "Recall", "MRR", "MAP", "NormalizedDCG")
    for k in case.ks:
        for missed, how in ((False, "[list only]"), (True, "[list+missed(score 0)]")):
            for metric, name in zip(BINARY, names, strict=True):
                function = getattr(tm, f"Retrieval{name}")(top_k=k)
                yield metric, k, f"Retrieval{name} {how}", partial(value, function, missed)
            auroc = partial(value, tm.RetrievalAUROC(top_k=k), missed)
            yield "AUC@k", k, f"RetrievalAUROC {how}", auroc
        graded = partial(value, tm.RetrievalNormalizedDCG(top_k=k), True, True)
        yield "NDCG_graded", k, "RetrievalNormalizedDCG [list+missed(score 0)]", graded
    if case.full is not None:
        yield "AUC", "full", "RetrievalAUROC (full scores)", full


def sklearn(case: Case) -> Iterator[Question]:
    """Dense matrices; items that are not listed get a score below all others."""
    from sklearn.metrics import ndcg_score, roc_auc_score

    _refuse_repeats(case)
    if any(len(case.lists.get(user, [])) < min(3, *case.ks) for user in case.truth):
        raise CannotBeAskedError("the input is a score for every item, there are no short lists")
    users = list(case.truth)
    lowest = min((min(row) for row in case.scores.values() if row), default=0.0) - 1.0
    ratings = np.zeros((len(users), case.n_items))
    scores = np.full(ratings.shape, lowest)
    for row, user in enumerate(users):
        ratings[row, list(case.truth[user])] = list(case.truth[user].values())
        if case.full is not None:
            scores[row] = case.full[user]
        else:
            scores[row, case.lists.get(user, [])] = case.scores.get(user, [])
    relevant = ratings > 0
    for k in case.ks:
        yield "NDCG", k, "ndcg_score", partial(ndcg_score, relevant, scores, k=k)
        yield "NDCG_graded", k, "ndcg_score", partial(ndcg_score, ratings, scores, k=k)
    if case.full is not None:

        def per_user() -> float:
            return _mean(map(roc_auc_score, relevant, scores))

        pooled = partial(roc_auc_score, relevant.ravel(), scores.ravel())
        yield "AUC", "full", "roc_auc_score(all pairs)", pooled
        yield "AUC", "full", "roc_auc_score per user, mean", per_user


BINARY = ("HitRate", "Precision", "Recall", "MRR", "MAP", "NDCG")
LIBRARIES: dict[str, tuple[str, Callable[[Case], Iterator[Question]]]] = {
    "rs_metrics": ("rs-metrics", rs_metrics),
    "ranx": ("ranx", ranx),
    "pytrec": ("pytrec-eval-terrier", pytrec_eval),
    "ir_measures": ("ir-measures", ir_measures),
    "rectools": ("rectools", rectools),
    "replay": ("replay-rec", replay),
    "cornac": ("cornac", cornac),
    "lenskit": ("lenskit", lenskit),
    "implicit": ("implicit", implicit),
    "torchmetrics": ("torchmetrics", torchmetrics),
    "sklearn": ("scikit-learn", sklearn),
}


def ask(library: str, inputs: list[Case]) -> Iterator[dict[str, str]]:
    """The rows of one library on all inputs."""
    distribution, questions = LIBRARIES[library]
    fixed = {"library": library, "version": "", "date": datetime.date.today().isoformat()}
    try:
        fixed["version"] = version(distribution)
    except PackageNotFoundError:
        yield _row(fixed, note=f"not installed: {distribution}")
        return
    for case in inputs:
        try:
            for metric, k, function, call in questions(case):
                yield _row(
                    fixed,
                    metric=metric,
                    k=str(k),
                    input=case.name,
                    function=function,
                    **_answer(call),
                )
        except Exception as error:  # whatever it is, it is what the library answers
            yield _row(fixed, input=case.name, note=_reason(error))


def _answer(call: Callable[[], Any]) -> dict[str, str]:
    try:
        return {"value": repr(float(call()))}
    except Exception as error:
        return {"note": _reason(error)}


def _reason(error: Exception) -> str:
    text = re.sub(r" \(/[^)]*\)", "", (str(error).strip().splitlines() or [""])[0])  # no paths
    if isinstance(error, CannotBeAskedError):
        return f"cannot be asked: {text}"
    return f"{type(error).__name__}: {text}"[:160]


def _row(fixed: dict[str, str], **found: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | fixed | found


def _by_item(case: Case, user: int) -> dict[str, float]:
    """Scores by item, as the TREC tools take them."""
    return {f"i{i}": s for i, s in zip(case.lists[user], case.scores[user], strict=True)}


def _train_frame(case: Case) -> Any:
    """One row per user and item of the train part, in pandas."""
    import pandas as pd

    pairs = [(user, item) for user, items in case.train.items() for item in items]
    return pd.DataFrame(pairs, columns=["user_id", "item_id"])


def _refuse_repeats(case: Case) -> None:
    if case.repeats:
        raise CannotBeAskedError("the input holds one score an item")


def _full(case: Case) -> np.ndarray:
    if case.full is None:
        raise CannotBeAskedError("this input has no full ranking")
    return case.full


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def main() -> None:
    """Write the file, one line of progress per library."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--only", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    inputs, rows = cases(), []
    for library in arguments.only:
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            found = list(ask(library, inputs))
        rows += found
        n_values = sum(bool(row["value"]) for row in found)
        print(
            f"{library} {found[0]['version']}: {n_values} values, {len(found) - n_values} without, "
            f"{time.perf_counter() - start:.1f} s",
            flush=True,
        )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    part = arguments.out.with_name(arguments.out.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(arguments.out)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
