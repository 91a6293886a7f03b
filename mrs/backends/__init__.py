"""What a model hears: the pretrained audio models of the study, and MFCC."""

from typing import Any

from mrs.backends.base import Backend, Model
from mrs.backends.caches import give_numba_a_cache
from mrs.backends.mfcc import MFCC
from mrs.backends.pretrained import (
    MERT,
    MULE,
    EncodecMAE,
    Jukebox,
    MuQ,
    MuQMuLan,
    Music2Vec,
    MusicFM,
    MusiCNN,
)
from mrs.errors import InputError

give_numba_a_cache()  # before any backend imports librosa

__all__ = ["BACKENDS", "Backend", "Model", "make_backend"]

_KINDS: tuple[type[Backend], ...] = (
    *(MFCC, MusiCNN, MusicFM, Music2Vec, EncodecMAE, MERT, Jukebox, MULE, MuQ, MuQMuLan),
)
#: The classes of audio models by name.
BACKENDS = {kind.name: kind for kind in _KINDS}


def make_backend(name: str, settings: dict[str, Any] | None = None) -> Backend:
    """A backend by name with some of its settings set.

    Values may be text, as they come from a command line. Raises `InputError` for an unknown name
    or setting, or a value that it does not take.
    """
    if name not in BACKENDS:
        raise InputError(f"backend {name!r} is unknown; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name].of(settings or {}, "setting")
