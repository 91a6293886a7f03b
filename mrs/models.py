"""The audio models of the study by name, in the order of tables, for data and backends.

MFCC is among them, the baseline without a model.
"""

from typing import NamedTuple


class AudioModel(NamedTuple):
    """How tables call a model, and the width of its vectors as published."""

    label: str
    embedding_size: int


MODELS = {
    "mfcc": AudioModel("MFCC", 104),
    "musicnn": AudioModel("MusiCNN", 200),
    "musicfm": AudioModel("MusicFM", 1024),
    "music2vec": AudioModel("Music2Vec", 768),
    "encodecmae": AudioModel("EncodecMAE", 768),
    "mert": AudioModel("MERT", 1024),
    "jukebox": AudioModel("Jukebox", 4800),
    "mule": AudioModel("MULE", 1728),
    "muq": AudioModel("MuQ", 1024),
    "muq_mulan": AudioModel("MuQ-MuLan", 512),
}
