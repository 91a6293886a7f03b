"""The sound of the generated world: a short clip of each track, made from its audible traits.

Chords, an arpeggio, a bass and drums play a few bars in the track's key, mode and tempo; the other
traits shape instruments and room. What a trait does is monotone in it, and key is a pitch class: it
does not tell how high a track lies, which is the register. Inaudible traits leave no trace. Each
track has a random generator of its own, so that a clip does not depend on which others are made.
Clips are the same bytes on the same machine; elsewhere last bits may differ.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import fft
from scipy.special import ndtr

from mrs.world.catalogue import CONTINUOUS

RENDERER = 1  # raised when the same traits give another sound

SAMPLE_RATE = 16_000  # Hz
SECONDS = 3.2  # MusiCNN's shortest input is 2.99 s
N_SAMPLES = round(SECONDS * SAMPLE_RATE)

_STREAM = 5  # of the world's seed; those before it draw catalogue, listeners and vectors
_N_FFT = 1 << 16
_TAIL = _N_FFT - N_SAMPLES  # of the reverberation, 0.9 s: nothing wraps around
_TABLE = 2048  # samples of one period of an instrument
_HIGHEST_PARTIAL = 7_800.0  # Hz, below half the sample rate

_TIME = np.arange(N_SAMPLES, dtype=np.float32) / np.float32(SAMPLE_RATE)  # s
_FREQUENCY = fft.rfftfreq(_N_FFT, 1 / SAMPLE_RATE).astype(np.float32)  # Hz

_SCALES = (np.array([0, 2, 3, 5, 7, 8, 10]), np.array([0, 2, 4, 5, 7, 9, 11]))  # minor, major
_PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 5, 4), (5, 3, 0, 4))  # degrees

# Sixteenths of a bar in the order in which each drum takes them as the density grows.
_KICKS = (0, 8, 10, 6)
_SNARES = (4, 12, 15, 7)
_HATS = (0, 8, 4, 12, 2, 10, 6, 14, 3, 11, 7, 15, 1, 9, 5, 13)

_VIBRATO_RATE = 5.5  # Hz
_BELL_RATIO = 2.756  # of the modulator's frequency to the carrier's: a struck bar's second mode
_COMB_DELAY = 8e-4  # s: the hollow colour's notches lie at 625, 1875, 3125 Hz and so on


@dataclass(frozen=True)
class Sound:
    """What a track's traits ask of the synthesiser."""

    bpm: float  # beats per minute
    cutoff: float  # Hz, above which the music falls by 12 dB an octave
    slope: float  # exponent by which partials fall with their number
    hollow: float  # 0 to 1: even partials leave, notches come
    rise: float  # s, time constant of a chord's attack
    decay: float  # s, time constant of its decay
    sustain: float  # 0 to 1, where its decay ends
    drum_density: float  # 0 to 1, share of the sixteenths that the hat takes
    drum_gain: float  # peak of a kick; the music's root mean square is 0.1
    lowest: float  # MIDI number at or above which the tonic lies
    drive: float  # gain into the saturation
    noise: float  # root mean square of a noise beside the music
    bass: float  # gain of the bass; a chord's note has 0.3
    arp_steps: int  # notes of the arpeggio per beat: 0, 1, 2 or 4
    arp: float  # gain of the arpeggio
    vibrato: float  # largest relative deviation of a frequency
    bell: float  # 0 to 1, from the wave table to frequency modulation
    wet: float  # energy of the reverberation relative to the dry music
    key: int  # semitones above C
    major: bool

    @classmethod
    def of(cls, continuous: np.ndarray, key: int, mode: int) -> "Sound":
        """The sound of a track.

        `continuous` [13] holds the traits named in `catalogue.CONTINUOUS`, each about N(0, 1),
        `key` semitones above C, `mode` 1 for major and 0 for minor.
        """
        u = dict(zip(CONTINUOUS, ndtr(continuous).tolist(), strict=True))  # uniform on 0 to 1
        attack, arp = u["attack"], u["arp_rate"]
        return cls(
            bpm=60 * 2 ** (1.5 * u["tempo"]),
            cutoff=600 * 2 ** (3.4 * u["brightness"]),
            slope=1.5 - 0.6 * u["brightness"],
            hollow=u["hollow"],
            rise=0.2 * 0.015**attack,
            decay=0.6 * 0.2**attack,
            sustain=(1 - attack) ** 2,
            drum_density=u["drum_density"],
            drum_gain=0.03 * 25 ** u["drum_level"],
            lowest=43 + 24 * u["register"],
            drive=1 + 14 * u["roughness"] ** 2,
            noise=0.03 * u["roughness"] ** 3,
            bass=1.1 * u["bass"],
            arp_steps=(0, 1, 2, 4)[min(int(4 * arp), 3)],
            arp=0.6 * arp,
            vibrato=0.045 * u["vibrato"] ** 1.5,
            bell=u["bell"],
            wet=1.6 * u["space"] ** 2,
            key=int(key),
            major=bool(mode),
        )


class Renderer:
    """The clips of a world, one at a time."""

    sample_rate = SAMPLE_RATE
    version = RENDERER

    def __init__(self, tracks: pl.DataFrame, seed: int) -> None:
        """`tracks` has the columns trait_* of a generated tracks.parquet; `seed` is the world's."""
        names = [f"trait_{name}" for name in CONTINUOUS]
        self._continuous = tracks.select(names).to_numpy()
        self._key = tracks["trait_key"].to_numpy()
        self._mode = tracks["trait_mode"].to_numpy()
        self._seed = seed

    def __len__(self) -> int:
        return len(self._key)

    def sound(self, position: int) -> Sound:
        """What the track in that row asks of the synthesiser."""
        return Sound.of(self._continuous[position], self._key[position], self._mode[position])

    def __call__(self, position: int) -> np.ndarray:
        """The clip of the track in that row: float32 [N_SAMPLES] within -0.9 to 0.9."""
        rng = np.random.default_rng([self._seed, _STREAM, position])
        return render(self.sound(position), rng)


def render(sound: Sound, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a clip; float32 [N_SAMPLES] at `SAMPLE_RATE`, its peak at 0.9."""
    step = 15 * SAMPLE_RATE / sound.bpm  # samples of a sixteenth
    start = rng.random() * 16 * step  # the clip begins anywhere in a bar
    saturated = np.tanh(np.float32(0.3 * sound.drive) * _unit(_music(sound, step, start, rng)))
    music = _in_room(sound, saturated, rng)
    clip = 0.1 * _unit(music) + sound.drum_gain * _drums(sound, step, start, rng)
    clip += (2e-4 + sound.noise) * rng.standard_normal(N_SAMPLES, np.float32)
    return clip * np.float32(0.9 / np.abs(clip).max())


# Chords, arpeggio and bass


def _music(sound: Sound, step: float, start: float, rng: np.random.Generator) -> np.ndarray:
    """The notes before saturation and room; float32 [N_SAMPLES]."""
    scale = _SCALES[sound.major]
    tonic = int(np.ceil(sound.lowest))
    tonic += (sound.key - tonic) % 12
    progression = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
    pattern = rng.integers(0, 4, 16)
    chord_steps = 16 if sound.bpm > 100 else 8
    struck = 4 if sound.sustain < 0.25 else chord_steps  # plucked chords come on each beat
    voices = _Voices(sound)
    out = np.zeros(N_SAMPLES, np.float32)
    for i in range(int((start + N_SAMPLES) / step) + 1):
        degree = progression[i // chord_steps % 4]
        triad = [tonic + scale[d % 7] + 12 * (d // 7) for d in (degree, degree + 2, degree + 4)]
        at = round(i * step - start)
        if i % struck == 0:
            for pitch in triad:
                _add(out, at, voices.note("chord", pitch, round(struck * step)))
        if sound.arp_steps and i % (4 // sound.arp_steps) == 0:
            pitch = [*triad, triad[0] + 12][pattern[i % 16]] + 12
            _add(out, at, voices.note("arpeggio", pitch, round(8 / sound.arp_steps * step)))
        if i % 4 == 0:
            _add(out, at, voices.note("bass", 33 + (triad[0] - 33) % 12, round(3.6 * step)))
    return out


class _Voices:
    """The three instruments of a track, their notes made once a pitch."""

    def __init__(self, sound: Sound) -> None:
        rise = 1 - np.exp(-_TIME / np.float32(sound.rise))
        fall = np.exp(-_TIME / np.float32(sound.decay))
        quick = 1 - np.exp(-_TIME / np.float32(min(sound.rise, 0.005)))
        self._sound = sound
        self._warp = _TIME + sound.vibrato / (2 * np.pi * _VIBRATO_RATE) * np.sin(
            np.float32(2 * np.pi * _VIBRATO_RATE) * _TIME
        )
        self._envelopes = {
            "chord": 0.3 * rise * (sound.sustain + (1 - sound.sustain) * fall),
            "arpeggio": sound.arp * quick * np.exp(-_TIME / np.float32(0.1 + sound.decay / 2)),
            "bass": sound.bass * quick * np.exp(-_TIME / np.float32(0.5)),
        }
        self._made: dict[tuple[str, int], np.ndarray] = {}

    def note(self, voice: str, pitch: int, n: int) -> np.ndarray:
        """A note that ends after at most `n` samples; the same `n` for all notes of a voice."""
        if (voice, pitch) not in self._made:
            n = min(n, N_SAMPLES)
            hz = 440 * 2 ** ((pitch - 69) / 12)
            cycles = np.float32(hz) * self._warp[:n]
            wave = self._table(hz)[(cycles * _TABLE).astype(np.int32) % _TABLE]
            bell = 0.0 if voice == "bass" else self._sound.bell
            if bell > 0.02:
                index = np.float32(6 * bell) * np.exp(-_TIME[:n] / np.float32(0.35))
                turn = np.float32(2 * np.pi) * cycles
                modulated = np.sin(turn + index * np.sin(np.float32(_BELL_RATIO) * turn))
                wave = (1 - bell) * wave + bell * modulated
            note = self._envelopes[voice][:n] * wave
            release = min(160, n)
            note[-release:] *= np.linspace(1, 0, release, dtype=np.float32)
            self._made[voice, pitch] = note
        return self._made[voice, pitch]

    def _table(self, hz: float) -> np.ndarray:
        """One period with all partials that the sample rate holds; float32, root mean square 1."""
        partial = np.arange(1, max(1, min(40, int(_HIGHEST_PARTIAL / hz))) + 1)
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex64)
        spectrum[partial] = -1j * partial**-self._sound.slope
        spectrum[2:41:2] *= 1 - 0.97 * self._sound.hollow
        return _unit(fft.irfft(spectrum))


# Colour and room


def _in_room(sound: Sound, music: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Low-pass, notches and reverberation: one product in the frequency domain."""
    response = 1 / (1 + (_FREQUENCY / np.float32(sound.cutoff)) ** 2)
    depth = np.float32(0.95 * sound.hollow)
    turn = np.float32(2 * np.pi * _COMB_DELAY) * _FREQUENCY
    response *= np.sqrt(1 + depth**2 + 2 * depth * np.cos(turn))
    echoes = rng.standard_normal(_TAIL, np.float32) * np.exp(-_TIME[:_TAIL] / np.float32(0.25))
    echoes *= np.float32(np.sqrt(sound.wet / (echoes**2).sum()))
    echoes[0] += 1  # the music itself
    return fft.irfft(fft.rfft(music, _N_FFT) * response * fft.rfft(echoes, _N_FFT))[:N_SAMPLES]


# Drums


def _drums(sound: Sound, step: float, start: float, rng: np.random.Generator) -> np.ndarray:
    """Kick, snare and hat on the grid of sixteenths; float32 [N_SAMPLES]."""
    t = _TIME[: SAMPLE_RATE // 4]
    noise = rng.standard_normal(len(t) + 1, np.float32)
    kick = np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-30 * t)))) * np.exp(-14 * t)
    snare = 0.35 * noise[1:] * np.exp(-20 * t) + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-25 * t)
    hat = 0.25 * np.diff(noise) * np.exp(-60 * t)
    density = sound.drum_density
    players = (
        (kick.astype(np.float32), _KICKS[: 1 + round(3 * density)]),
        (snare.astype(np.float32), _SNARES[: round(5 * density - 0.75)] if density > 0.25 else ()),
        (hat.astype(np.float32), _HATS[: round(16 * density)]),
    )
    out = np.zeros(N_SAMPLES, np.float32)
    for i in range(int((start + N_SAMPLES) / step) + 1):
        for hit, steps in players:
            if i % 16 in steps:
                _add(out, round(i * step - start), hit)
    return out


def _add(out: np.ndarray, at: int, wave: np.ndarray) -> None:
    """Add a wave that begins at sample `at`, which may lie before or after `out`."""
    begin, end = max(at, 0), min(at + len(wave), len(out))
    if begin < end:
        out[begin:end] += wave[begin - at : end - at]


def _unit(wave: np.ndarray) -> np.ndarray:
    """A wave scaled to a root mean square of 1."""
    return wave / np.float32(np.sqrt((wave**2).mean()) + 1e-9)
