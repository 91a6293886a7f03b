"""Records of a search with scores chosen by a test."""

import json
from collections.abc import Mapping

import polars as pl

from mrs.study.tune import SCHEMA, VERSION

NO_CHANCE = {"hot": 0.0, "cold": 0.0}
Score = tuple[str, str, list[float]]  # recommender, scenario, a score a fit


def record_frame(
    trials: dict[str, list[tuple[dict, list[Score]]]],
    version: int = VERSION,
    chance: Mapping[str, float | None] = NO_CHANCE,
) -> pl.DataFrame:
    """Groups, each a list of trials: what was set, and the scores of its cells.

    `chance` is the level of each scenario.
    """
    rows = []
    for group, listed in trials.items():
        for number, (values, cells) in enumerate(listed):
            for recommender, scenario, scores in cells:
                for fit, score in enumerate(scores):
                    reads = not group.startswith(("als", "elsa"))
                    rows.append(
                        {
                            "group": group,
                            "trial": number,
                            "values": json.dumps(values),
                            "settings": json.dumps(values),
                            "recommender": recommender,
                            "scenario": scenario,
                            "metric": {"hot": "ndcg@50", "cold": "ndcg@20"}[scenario],
                            "score": score,
                            "chance": chance[scenario],
                            "version": version,
                            "n_users": 7,
                            "n_candidates": 61,
                            "backend": ["mert", "mule", "muq"][fit] if reads else None,
                            "rung": [0.1, 0.4, 0.7][fit] if reads else None,
                            "seed": 0 if reads else fit,
                            "seconds": 2.0 + number,
                            "cpu_seconds": 4.0 + number,
                            "converged": True,
                            "dataset": "demo:seed=1",
                            "months": 2,
                            "search_seed": 0,
                            "created": "2031-05-06T07:08:09+00:00",
                            "machine": "Linux x86_64, a processor",
                            "command": "python -m mrs tune --study s.yaml --trials 3",
                        }
                    )
    return pl.DataFrame(rows, schema=SCHEMA)


TRIALS: dict[str, list[tuple[dict, list[Score]]]] = {
    "hybrid": [
        (
            {"learning_rate": 0.01, "hidden_size": 64},
            [("hybrid", "hot", [0.1, 0.2, 0.3]), ("hybrid", "cold", [0.4, 0.4, 0.4])],
        ),
        (  # hot 0.24 / 0.2 = 1.2, cold 0.38 / 0.4 = 0.95: together 1.075
            {"learning_rate": 0.02, "hidden_size": 32},
            [("hybrid", "hot", [0.14, 0.24, 0.34]), ("hybrid", "cold", [0.38, 0.38, 0.38])],
        ),
        (  # the best in hot, but hot and cold together 0.9
            {"learning_rate": 0.3, "hidden_size": 128},
            [("hybrid", "hot", [0.2, 0.3, 0.4]), ("hybrid", "cold", [0.1, 0.1, 0.16])],
        ),
    ],
    "als": [
        ({"regularization": 10.0}, [("als", "hot", [0.3, 0.3, 0.3])]),
        ({"regularization": 20.0}, [("als", "hot", [0.3, 0.3, 0.3])]),
        ({"regularization": 30.0}, [("als", "hot", [0.9, float("nan"), 0.9])]),
    ],
}
