"""Real vectors of a generated world: models are run on its sound, in place of surrogates."""

from collections.abc import Iterable

from mrs.backends import BACKENDS, make_backend
from mrs.backends.extract import extract
from mrs.backends.weights import at_hand
from mrs.data.dataset import Dataset


def hear_world(dataset: Dataset, names: Iterable[str], workers: int | None = None) -> None:
    """Compute the vectors of those backends named whose model can be run here.

    A surrogate gives way where the model needs no weights or they have been fetched; nothing is
    fetched, and what cannot be run keeps its surrogate. Vectors that were computed from an earlier
    sound or with other weights are computed anew, with the settings on their card. Datasets without
    rendered sound and a user's own vectors stay as they are. Raises as `extract` does.
    """
    if dataset.renderer is None:
        return
    for name in names:
        if name in BACKENDS and name in dataset.backends():
            card = dataset.card(name)
            backend = make_backend(name, card.details.get("settings"))
            if card.origin != "file" and at_hand(backend):
                extract(dataset, backend, workers=workers)
