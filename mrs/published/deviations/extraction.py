"""Departures in extraction and statistics: no variant of a recommender, but run another way."""

from mrs.published.deviations.base import Deviation

# How to extract vectors as the published code did.
VECTORS = {
    "musicnn_first_patch": "musicnn --set patches=first",  # the first 3 s, for every patch
    "musicfm_over_channels": "musicfm --set pooling=channels",  # not over time: 750 numbers
    "music2vec_24khz": "music2vec --set fed_rate=24000",  # heard slower by half, for 16 kHz
}
DEVIATIONS = (
    *(
        Deviation(
            name,
            note=(
                "other vectors, not another recommender: extract them with "
                f"`python -m mrs extract --backend {backend}` and run on those"
            ),
        )
        for name, backend in VECTORS.items()
    ),
    Deviation(
        "df2_intervals",
        note="a matter of intervals, not of a recommender: see the chapter on published numbers",
    ),
)
