"""Every deviation by its name, in the order of the book's table."""

from mrs.published.deviations import (
    bert4rec,
    bimodal,
    cold_in_training,
    coldstart,
    elsa,
    evaluation,
    extraction,
    hybrid,
    knn,
    raw_vectors,
    shallow,
)
from mrs.published.deviations.base import Deviation

_MODULES = (
    knn,
    evaluation,
    shallow,
    raw_vectors,
    bimodal,
    cold_in_training,
    hybrid,
    elsa,
    bert4rec,
    coldstart,
    extraction,
)
DEVIATIONS: dict[str, Deviation] = {
    deviation.name: deviation for module in _MODULES for deviation in module.DEVIATIONS
}
