"""A departure in evaluation, which leaves what is fitted alone."""

from mrs.published.deviations.base import Deviation, answering

COLD_K = (20, 50)  # what the published cold tables say, and what they hold

DEVIATIONS = (
    Deviation(
        "cold_k",
        "cold values under @20 were computed at 50: both are reported, under their names",
        of=answering("cold"),
    ),
)
