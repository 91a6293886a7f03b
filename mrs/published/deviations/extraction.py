"""Departures in extraction and statistics: no variant of a recommender, but run another way."""

from mrs.published.deviations.base import Deviation

DEVIATIONS = (
    Deviation(
        "musicnn_first_patch",
        "each track's vector is that of its first 3 s, repeated for every patch",
        note=(
            "other vectors, not another recommender: extract them with "
            "`python -m mrs extract --backend musicnn --set patches=first` and run on those"
        ),
    ),
    Deviation(
        "musicfm_over_channels",
        "frames are averaged over channels in place of time: a curve of 750 numbers",
        note=(
            "other vectors, not another recommender: extract them with "
            "`python -m mrs extract --backend musicfm --set pooling=channels` and run on those"
        ),
    ),
    Deviation(
        "music2vec_24khz",
        "a model for 16 kHz hears audio at 24 kHz: slower by half, seven semitones lower",
        note=(
            "other vectors, not another recommender: extract them with "
            "`python -m mrs extract --backend music2vec --set fed_rate=24000` and run on those"
        ),
    ),
    Deviation(
        "df2_intervals",
        "intervals over runs take 2 degrees of freedom whatever the number of runs",
        note="a matter of intervals, not of a recommender: see the chapter on published numbers",
    ),
)
