"""Runs by the name of their recommender, as a command line gives them."""

from typing import Any

from mrs.data.dataset import Dataset
from mrs.published.deviations import recommender_of
from mrs.study import spec
from mrs.study.spec import RunSpec


def make_spec(
    dataset: Dataset,
    *,
    recommender: str,
    settings: dict[str, Any] | None = None,
    protocol: str = "corrected",
    **asked: Any,
) -> RunSpec:
    made = recommender_of(recommender, settings or {}, protocol)
    return spec.make_spec(dataset, recommender=made, **asked)
