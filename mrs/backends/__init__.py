"""What a model hears: the pretrained audio models of the study, and MFCC."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mrs.backends.base import Backend, Model
from mrs.errors import InputError
from mrs.settings import convert_settings

__all__ = ["BACKENDS", "Backend", "Model", "make_backend"]

# Widths: arXiv 2604.23077's code, but MusicFM, whose encoder is 1,024 wide (the published 750 is
# the number of time frames of a 30 s clip), and MULE, which is missing there.
_KNOWN = (
    ("mfcc", "MFCC", 104),
    ("musicnn", "MusiCNN", 200),
    ("musicfm", "MusicFM", 1024),
    ("music2vec", "Music2Vec", 768),
    ("encodecmae", "EncodecMAE", 768),
    ("mert", "MERT", 1024),
    ("jukebox", "Jukebox", 4800),
    ("mule", "MULE", 1728),
    ("muq", "MuQ", 1024),
    ("muq_mulan", "MuQ-MuLan", 512),
)


def _class_of(name: str, label: str, embedding_size: int) -> type[Backend]:
    """The class of mrs.backends.NAME; until that module is there, one with the names alone."""
    if find_spec(f"mrs.backends.{name}"):
        members = vars(import_module(f"mrs.backends.{name}")).values()
        kinds = [k for k in members if isinstance(k, type) and issubclass(k, Backend)]
        return next(kind for kind in kinds if getattr(kind, "name", None) == name)
    facts = {"name": name, "label": label, "embedding_size": embedding_size}
    return type(label, (Backend,), facts)


BACKENDS: dict[str, type[Backend]] = {known[0]: _class_of(*known) for known in _KNOWN}


def make_backend(name: str, settings: dict[str, Any] | None = None) -> Backend:
    """A backend by name with some of its settings set.

    Values may be text, as they come from a command line. Raises `InputError` for an unknown name
    or setting, or a value of another type.
    """
    if name not in BACKENDS:
        raise InputError(f"backend {name!r} is unknown; choose one of {', '.join(BACKENDS)}")
    kind = BACKENDS[name]
    values = convert_settings(f"backend {name}", "setting", settings or {}, kind().settings())
    return kind(**values)
