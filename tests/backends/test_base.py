import numpy as np
import pytest
from sounds import Counting, Stub

from mrs.backends import BACKENDS, make_backend
from mrs.errors import InputError
from mrs.models import MODELS

NAMES = [
    "mfcc",
    "musicnn",
    "musicfm",
    "music2vec",
    "encodecmae",
    "mert",
    "jukebox",
    "mule",
    "muq",
    "muq_mulan",
]


def test_the_ten_backends_in_their_order() -> None:
    assert list(BACKENDS) == NAMES
    widths = [BACKENDS[name].embedding_size for name in NAMES]
    assert list(MODELS) == NAMES
    assert widths == [104, 200, 1024, 768, 768, 1024, 4800, 1728, 1024, 512]


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_says_what_it_is(name: str) -> None:
    backend = make_backend(name)
    facts = backend.card
    words = (facts.code_licence, facts.weights_licence, facts.revision, facts.corpus)
    assert all([*words, facts.objective, facts.citation, facts.source, backend.label])
    assert backend.sample_rate in (16_000, 24_000, 44_100)
    assert facts.n_parameters > 0 or not backend.weights
    assert set(backend.settings()) >= {"clip_seconds", "layer", "pooling"}


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("mart", {}, "backend 'mart' is unknown"),
        ("musicnn", {"layers": "3"}, "no setting 'layers'"),
        ("musicnn", {"patches": "last"}, "patches=last should be 'all' or 'first'"),
        ("mfcc", {"clip_seconds": "long"}, "clip_seconds=long should be a valid number"),
        ("mfcc", {"clip_seconds": "-1"}, "clip_seconds=-1"),
        ("musicnn", {"clip_seconds": "2"}, "clip_seconds=2"),
    ],
)
def test_mistakes_in_settings(name: str, settings: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_backend(name, settings)


def test_settings_come_as_text() -> None:
    assert make_backend("musicnn", {"clip_seconds": "30"}).clip_seconds == 30.0


def test_the_vector_is_the_mean_over_the_frames() -> None:
    model, waveform = Counting(), np.arange(300, dtype=np.float32)
    assert model.frames(waveform).shape == (3, 3)
    assert model.embed(waveform).tolist() == pytest.approx([149.5, np.arange(100).std(), 199.0])
    both = model.embed_batch([waveform, 2 * waveform])
    np.testing.assert_allclose(both, [model.embed(waveform), 2 * model.embed(waveform)])
    assert Stub().settings() == {"clip_seconds": 30.0, "layer": "last", "pooling": "mean"}
