"""Each trait is found again in the clip, by measures of its own; nothing else gets in."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.fft import irfft, rfft, rfftfreq

from mrs.world import demo
from mrs.world.catalogue import CONTINUOUS
from mrs.world.params import Params
from mrs.world.render import N_SAMPLES, SAMPLE_RATE, Renderer, Sound, render

HZ = rfftfreq(N_SAMPLES, 1 / SAMPLE_RATE)
PLAIN = Sound.of(np.full(len(CONTINUOUS), -1.0), key=0, mode=1)  # C major, little of everything
QUIET = replace(PLAIN, drum_gain=0.0, bass=0.0, noise=0.0, wet=0.0, arp_steps=0)


def clip(sound: Sound, seed: int = 0) -> np.ndarray:
    return render(sound, np.random.default_rng(seed))


def power(sound: Sound, seed: int = 0) -> np.ndarray:
    return np.abs(rfft(clip(sound, seed))) ** 2


def share(sound: Sound, low: float, high: float) -> float:
    """The share of a clip's energy between two frequencies."""
    spectrum = power(sound)
    return float(spectrum[(low <= HZ) & (high > HZ)].sum() / spectrum.sum())


def envelope(wave: np.ndarray) -> np.ndarray:
    """Root mean squares of blocks of 10 ms."""
    return np.sqrt((wave.reshape(-1, SAMPLE_RATE // 100) ** 2).mean(1))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    world = demo.generate(Params(n_users=5, n_tracks=60, n_artists=15, n_cold=10))
    return Renderer(demo.tracks(world), seed=3)


def test_a_clip_is_the_same_bytes_whichever_others_are_made(renderer: Renderer) -> None:
    first = [renderer(position).tobytes() for position in (4, 7)]
    assert [renderer(position).tobytes() for position in (7, 4)] == first[::-1]
    assert first[0] != first[1]


def test_clips_are_mono_float32_within_bounds(renderer: Renderer) -> None:
    assert N_SAMPLES == 51_200
    for position in range(len(renderer)):
        wave = renderer(position)
        assert wave.shape == (N_SAMPLES,)
        assert wave.dtype == np.float32
        assert np.abs(wave).max() == pytest.approx(0.9)
        assert envelope(wave).max() > 0.02


def test_a_clip_belongs_to_world_and_track(renderer: Renderer) -> None:
    world = demo.generate(Params(n_users=5, n_tracks=60, n_artists=15, n_cold=10))
    other = Renderer(demo.tracks(world), seed=4)
    assert other.sound(0) == renderer.sound(0)
    assert not np.array_equal(other(0), renderer(0))


def test_traits_are_uniform_in_the_physical_ranges() -> None:
    # A normal trait becomes its quantile: the median sounds in the middle of the logarithmic range.
    middle = Sound.of(np.zeros(len(CONTINUOUS)), key=3, mode=0)
    assert middle.bpm == pytest.approx(60 * 2**0.75)
    assert middle.cutoff == pytest.approx(600 * 2**1.7)
    assert middle.lowest == 55
    assert (middle.key, middle.major, middle.arp_steps) == (3, False, 2)
    extremes = [Sound.of(np.full(len(CONTINUOUS), z), key=0, mode=1) for z in (-9.0, 9.0)]
    assert [sound.bpm for sound in extremes] == pytest.approx([60, 60 * 2**1.5])
    assert [sound.lowest for sound in extremes] == pytest.approx([43, 67])
    assert [sound.arp_steps for sound in extremes] == [0, 4]


@pytest.mark.parametrize("key", range(12))
@pytest.mark.parametrize("major", [True, False])
def test_the_strongest_pitches_are_those_of_the_key(key: int, major: bool) -> None:
    sound = replace(QUIET, key=key, major=major, vibrato=0.0, drive=1.0, slope=3.0)
    pitch_class = np.round(69 + 12 * np.log2(np.maximum(HZ, 1) / 440)).astype(int) % 12
    heard = np.bincount(pitch_class, power(sound), minlength=12)
    steps = [0, 2, 4, 5, 7, 9, 11] if major else [0, 2, 3, 5, 7, 8, 10]
    scale = [(key + step) % 12 for step in steps]
    assert heard[scale].sum() > 0.9 * heard.sum()


def test_key_is_no_pitch_height() -> None:
    # From key to key the chords move by less than the octave that they would climb in semitones.
    def height(key: int) -> float:
        spectrum = power(replace(QUIET, key=key))
        return float(spectrum @ np.log2(np.maximum(HZ, 20)) / spectrum.sum())

    by_key = [height(key) for key in range(12)]
    assert max(by_key) - min(by_key) < 1.2
    above = replace(QUIET, lowest=QUIET.lowest + 12)
    spectrum = power(above)
    octave = float(spectrum @ np.log2(np.maximum(HZ, 20)) / spectrum.sum()) - height(0)
    assert octave == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("bpm", [75.0, 93.75, 125.0, 150.0])
def test_drums_repeat_after_a_beat(bpm: float) -> None:
    sound = replace(QUIET, bpm=bpm, drum_gain=3.0, drum_density=0.3)
    wave = envelope(clip(sound))
    wave = wave - wave.mean()
    spectrum = np.abs(rfft(wave, 4 * len(wave))) ** 2
    correlation = irfft(spectrum)[: len(wave)]
    lag = 100 * 60 / bpm
    beat = correlation[round(lag) - 1 : round(lag) + 2].max()
    assert beat > 0.3 * correlation[0]
    assert beat > 2 * correlation[round(1.5 * lag)]


def middling(**z: float) -> Sound:
    """A sound a little below the median in all traits but those named."""
    continuous = np.full(len(CONTINUOUS), -0.3)
    for trait, value in z.items():
        continuous[CONTINUOUS.index(trait)] = value
    return Sound.of(continuous, key=0, mode=1)


def chords(sound: Sound, **changes: float) -> Sound:
    """Its chords alone, clean and dry."""
    alone = replace(sound, drum_gain=0.0, bass=0.0, arp_steps=0, wet=0.0, noise=0.0)
    return replace(alone, **changes)


def centroid(sound: Sound) -> float:
    spectrum = power(sound)
    return float(spectrum @ HZ / spectrum.sum())


def notch(sound: Sound) -> float:
    """Energy of the chords around 1250 Hz relative to that around 1875 Hz."""
    alone = chords(sound, drive=5.0)
    return share(alone, 1050, 1450) / share(alone, 1675, 2075)


def onsets(sound: Sound) -> float:
    """The peaks of the chords over the level between them."""
    wave = envelope(clip(chords(sound)))
    return float(np.quantile(wave, 0.95) / np.median(wave))


def hits(sound: Sound) -> float:
    """How often the level above 5 kHz doubles, in a clip of almost nothing but drums."""
    spectrum = rfft(clip(replace(sound, drum_gain=10.0, wet=0.0, noise=0.0)))
    spectrum[HZ < 5000] = 0
    level = envelope(irfft(spectrum))
    return float(((level[1:] > 2 * level[:-1]) & (level[1:] > 0.2 * level.max())).sum())


def off_pitch(sound: Sound) -> float:
    """Share of the energy more than a quarter of a semitone off the tuning."""
    spectrum = power(chords(sound))
    semitones = 12 * np.log2(np.maximum(HZ, 1) / 440)
    off = np.abs(semitones - np.round(semitones)) > 0.25
    return float(spectrum[off].sum() / spectrum.sum())


def tail(sound: Sound) -> float:
    """The level between short plucked chords relative to their peaks."""
    plucked = chords(sound, rise=0.003, decay=0.05, sustain=0.0, bpm=80.0, wet=sound.wet)
    wave = envelope(clip(plucked))
    return float(np.quantile(wave, 0.3) / wave.max())


# A measure for each trait, and by how much it grows at least from z = -1.5 to z = 1.5.
MEASURES = {
    "brightness": (centroid, 1.7),
    "hollow": (notch, 4.0),
    "attack": (onsets, 2.0),
    "drum_density": (hits, 5.0),
    "drum_level": (lambda sound: share(sound, 5000, 8000), 10.0),
    "register": (lambda sound: centroid(chords(sound)), 1.8),
    "roughness": (lambda sound: share(sound, 4000, 8000), 4.0),
    "bass": (lambda sound: share(sound, 40, 120), 10.0),
    "arp_rate": (lambda sound: share(sound, 500, 8000), 2.0),
    "vibrato": (lambda sound: off_pitch(replace(sound, bell=0.0, drive=0.01)), 10.0),
    "bell": (lambda sound: off_pitch(replace(sound, vibrato=0.0, drive=0.01)), 2.0),
    "space": (tail, 4.0),
}


@pytest.mark.parametrize("trait", MEASURES)
def test_a_trait_is_heard_and_grows_with_its_value(trait: str) -> None:
    measure, least = MEASURES[trait]
    values = [measure(middling(**{trait: z})) for z in (-1.5, 0.0, 1.5)]
    assert values == sorted(values)
    assert values[2] > least * values[0]


def test_every_continuous_trait_has_a_measure() -> None:
    assert {*MEASURES, "tempo"} == set(CONTINUOUS)  # tempo: the drums' repetition above
