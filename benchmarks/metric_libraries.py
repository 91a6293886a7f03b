"""HitRate, Recall and NDCG @50 of the same lists by this package and by the libraries, in one run.

    make audit    # once: the libraries' environment
    PYTHONPATH=. .venv-audit/bin/python benchmarks/metric_libraries.py

10,000 users x 100 ranked x about 27 relevant, drawn at random. Each library gets the form that it
takes fastest or that is named; making that form is not counted, except here, where it is.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytrec_eval
import rs_metrics
import scipy.sparse as sp
from rectools.metrics import NDCG, HitRate, Recall, calc_metrics
from threadpoolctl import threadpool_limits

from mrs.evaluation.metrics import Judged, evaluate

USERS, ITEMS, DEPTH, RELEVANT, K = 10_000, 55_262, 100, 27, 50


def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists [U x DEPTH], and the truth as parallel arrays of users and items."""
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((USERS, 4 * DEPTH)), axis=1)[:, :DEPTH] * 131 % ITEMS
    truth_user, truth_item = [], []
    for user in range(USERS):
        hits = rng.choice(lists[user], 3, replace=False)
        other = rng.choice(ITEMS, RELEVANT - 3, replace=False)
        items = np.union1d(hits, other)
        truth_user.append(np.full(len(items), user))
        truth_item.append(items)
    return lists, np.concatenate(truth_user), np.concatenate(truth_item)


def main() -> None:
    lists, user, item = draw()
    ranked = pd.DataFrame({"user_id": np.repeat(np.arange(USERS), DEPTH), "item_id": lists.ravel()})
    ranked["rank"] = np.tile(np.arange(1, DEPTH + 1), USERS)
    ranked["score"] = -ranked["rank"].astype(float)
    truth = pd.DataFrame({"user_id": user, "item_id": item})
    lists_by_user = {u: row.tolist() for u, row in enumerate(lists)}
    truth_by_user = truth.groupby("user_id")["item_id"].apply(list).to_dict()
    qrels = {str(u): dict.fromkeys(map(str, items), 1) for u, items in truth_by_user.items()}
    run = {str(u): {str(i): -float(r) for r, i in enumerate(row)} for u, row in enumerate(lists)}

    def ours() -> tuple[float, ...]:
        matrix = sp.csr_matrix((np.ones(len(user)), (user, item)), shape=(USERS, ITEMS))
        found = evaluate(Judged.from_lists(lists, matrix), ["hitrate", "recall", "ndcg"], [K])
        return tuple(float(values.mean()) for values in found.values())

    def rs(a: object, b: object) -> tuple[float, ...]:
        return tuple(f(a, b, K) for f in (rs_metrics.hitrate, rs_metrics.recall, rs_metrics.ndcg))

    def rectools() -> tuple[float, ...]:
        metrics = {
            "h": HitRate(K),
            "r": Recall(K),
            "n": NDCG(K, divide_by_achievable=True),
        }
        found = calc_metrics(metrics, reco=ranked, interactions=truth)
        return tuple(found[name] for name in "hrn")

    def pytrec() -> tuple[float, ...]:
        names = {f"success_{K}", f"recall_{K}", f"ndcg_cut_{K}"}
        found = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(run).values()
        order = (f"success_{K}", f"recall_{K}", f"ndcg_cut_{K}")
        return tuple(float(np.mean([values[name] for values in found])) for name in order)

    columns = {"user_col": "user_id", "item_col": "item_id"}
    frames = (truth[["user_id", "item_id"]], ranked[["user_id", "item_id", "rank"]])
    rivals: dict[str, Callable[[], tuple[float, ...]]] = {
        "this package, arrays": ours,
        "rs_metrics, pandas frames": lambda: tuple(
            f(*frames, k=K, **columns)
            for f in (rs_metrics.hitrate, rs_metrics.recall, rs_metrics.ndcg)
        ),
        "rs_metrics, dicts": lambda: rs(truth_by_user, lists_by_user),
        "RecTools calc_metrics, pandas frames": rectools,
        "pytrec_eval, prebuilt dicts": pytrec,
    }
    base = 0.0
    for name, function in rivals.items():
        seconds = []
        for _ in range(5 if "rs_" not in name else 3):
            begin = time.perf_counter()
            values = function()
            seconds.append(time.perf_counter() - begin)
        median = statistics.median(seconds)
        base = base or median
        shown = " ".join(f"{value:.5f}" for value in values)
        print(f"{name:38s} {median:8.3f} s  x {median / base:6.1f}   {shown}", flush=True)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
