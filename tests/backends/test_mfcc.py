import librosa
import numpy as np
import pytest
from scipy.signal import savgol_filter
from sounds import tone

from mrs.backends import make_backend
from mrs.backends.weights import load_model


def test_104_statistics() -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    model = load_model(make_backend("mfcc"))
    frames, vector = model.frames(waveform), model.embed(waveform)
    assert frames.shape == (32, 52)
    assert vector.shape == (104,)
    assert vector.dtype == frames.dtype == np.float32
    # From a mel spectrogram by hand: decibels, cosine transform, smoothed slope.
    power = librosa.feature.melspectrogram(y=waveform, sr=16_000)
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80)
    n = np.arange(128)
    basis = np.cos(np.pi * np.outer(np.arange(26), n + 0.5) / 128) * np.sqrt(2 / 128)
    basis[0] /= np.sqrt(2)
    coefficients = basis @ decibels
    slopes = savgol_filter(coefficients, 9, 1, deriv=1, axis=1, mode="interp")
    expected = [f(x, axis=1) for x in (coefficients, slopes) for f in (np.mean, np.std)]
    np.testing.assert_allclose(vector, np.concatenate(expected), atol=2e-3)


def test_the_shortest_clip_is_enough() -> None:
    backend = make_backend("mfcc")
    waveform = tone(backend.minimum_seconds)
    assert len(waveform) == 4096
    model = load_model(backend)
    assert np.isfinite(model.embed(waveform)).all()
    with pytest.raises(librosa.ParameterError, match="width"):
        model.embed(waveform[:4095])
