"""What a model hears: the pretrained audio models of the study, and MFCC."""

from typing import Any

from mrs.backends.base import Backend, Model
from mrs.backends.caches import give_numba_a_cache
from mrs.backends.encodecmae import EncodecMAE
from mrs.backends.jukebox import Jukebox
from mrs.backends.mert import MERT
from mrs.backends.mfcc import MFCC
from mrs.backends.mule import MULE
from mrs.backends.muq import MuQ
from mrs.backends.muq_mulan import MuQMuLan
from mrs.backends.music2vec import Music2Vec
from mrs.backends.musicfm import MusicFM
from mrs.backends.musicnn import MusiCNN
from mrs.errors import InputError

give_numba_a_cache()  # before any backend imports librosa

__all__ = ["BACKENDS", "Backend", "Model", "make_backend"]

#: The classes of audio models by name.
BACKENDS: dict[str, type[Backend]] = {
    kind.name: kind
    for kind in (
        MFCC,
        MusiCNN,
        MusicFM,
        Music2Vec,
        EncodecMAE,
        MERT,
        Jukebox,
        MULE,
        MuQ,
        MuQMuLan,
    )
}


def make_backend(name: str, settings: dict[str, Any] | None = None) -> Backend:
    """A backend by name with some of its settings set.

    Values may be text, as they come from a command line. Raises `InputError` for an unknown name
    or setting, or a value that it does not take.
    """
    if name not in BACKENDS:
        raise InputError(f"backend {name!r} is unknown; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name].of(settings or {}, "setting")
