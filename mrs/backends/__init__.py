"""What a model hears: the pretrained audio models of the study, and MFCC."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """An audio model as the study names it.

    `embedding_size` is the width of one track's vector at the model's own size.
    """

    name: str
    label: str
    embedding_size: int


# Widths: arXiv 2604.23077's code, but MusicFM, whose encoder is 1,024 wide (the published 750 is
# the number of time frames of a 30 s clip), and MULE, which is missing there.
BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("mfcc", "MFCC", 104),
        Backend("musicnn", "MusiCNN", 200),
        Backend("musicfm", "MusicFM", 1024),
        Backend("music2vec", "Music2Vec", 768),
        Backend("encodecmae", "EncodecMAE", 768),
        Backend("mert", "MERT", 1024),
        Backend("jukebox", "Jukebox", 4800),
        Backend("mule", "MULE", 1728),
        Backend("muq", "MuQ", 1024),
        Backend("muq_mulan", "MuQ-MuLan", 512),
    )
}
