"""The pretrained models that torch runs: the settings by which each is read, and its reader."""

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import override

from mrs.backends.base import Backend, Model
from mrs.settings import Seconds, number

FRAME_RATE = 25  # Hz, of MusicFM


@dataclass(frozen=True)
class Pretrained(Backend):
    """A network of `mrs.backends.networks`: `reader` makes it, or a model, of the weights."""

    reader: ClassVar[str]
    size: ClassVar[Any] = None  # widths and depths, where they are not the published ones

    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel

        read = resolve_name(f"mrs.backends.networks.{self.reader}")(self, folder)
        return read if isinstance(read, Model) else TorchModel(read, self.pooling)


@dataclass(frozen=True)
class MusiCNN(Pretrained):
    """MSD MusiCNN, its penultimate layer averaged over the patches of 3 s.

    `patches` is "all", or "first": the package as published on PyPI (0.1.0) gives the first patch's
    features in every row of `penultimate`, a defect that was mended in its repository and never
    released.
    """

    name: ClassVar[str] = "musicnn"
    reader: ClassVar[str] = "musicnn:load_musicnn"
    minimum_seconds: ClassVar[float] = 186 * 256 / 16_000  # a patch of 187 frames

    clip_seconds: Seconds = 0.0
    layer: Literal["penultimate"] = "penultimate"
    patches: Literal["all", "first"] = "all"


@dataclass(frozen=True)
class MusicFM(Pretrained):
    """Hidden states of MusicFM-MSD: `layer` 0 is the conformer's input, 12 its output.

    `pooling` "mean" runs over time and gives 1,024 numbers. "channels" is the published extraction
    of the first paper: the mean of each frame's channels, 750 numbers for 30 s, a curve over time
    in which shorter clips are filled up with silence.
    """

    name: ClassVar[str] = "musicfm"
    reader: ClassVar[str] = "conformer:load_musicfm"

    layer: Annotated[int, Field(ge=0, le=12)] = 12
    pooling: Literal["mean", "channels"] = "mean"  # type: ignore[assignment]

    @override
    def contradiction(self) -> str:
        if self.pooling == "channels" and not self.clip_seconds:
            return (
                "pooling=channels has a number for each frame; give clip_seconds, 30 as published"
            )
        return super().contradiction()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling == "channels":
            object.__setattr__(self, "embedding_size", round(FRAME_RATE * self.clip_seconds))


@dataclass(frozen=True)
class Music2Vec(Pretrained):
    """Hidden states of music2vec-v1: `layer` 0 is the encoder's input, 12 its output.

    The model hears 16 kHz. The published extraction fed it audio at 24 kHz (`fed_rate`), so that
    everything came 1.5 times slower and 7 semitones lower, and left out the preparation that the
    model's preprocessor file asks for (`processor`).
    """

    name: ClassVar[str] = "music2vec"
    reader: ClassVar[str] = "speech:load_data2vec"

    layer: Annotated[int, Field(ge=0, le=12)] = 12
    processor: bool = True
    fed_rate: Annotated[Literal[16_000, 24_000], BeforeValidator(number)] = 16_000

    def __post_init__(self) -> None:
        super().__post_init__()
        # Audio is decoded at the rate that it is fed at, whatever the model takes it for.
        object.__setattr__(self, "sample_rate", self.fed_rate)


@dataclass(frozen=True)
class EncodecMAE(Pretrained):
    """Frames of the base model's encoder: `layer` 1 to 9 within it, 10 its output."""

    name: ClassVar[str] = "encodecmae"
    reader: ClassVar[str] = "encodecmae:load_encodecmae"

    layer: Annotated[int, Field(ge=1, le=10)] = 10


@dataclass(frozen=True)
class MERT(Pretrained):
    """Hidden states of MERT-v1-330M: `layer` 0 is the encoder's input, 24 its output.

    With `processor` the waveform is prepared as the model's preprocessor file says; the published
    extraction left that out.
    """

    name: ClassVar[str] = "mert"
    reader: ClassVar[str] = "speech:load_hubert"

    layer: Annotated[int, Field(ge=0, le=24)] = 24
    processor: bool = True


@dataclass(frozen=True)
class Jukebox(Pretrained):
    """Outputs of layer `layer` of the 5B top prior, counted from 1, over the first 23.8 s.

    That is the prior's whole context; layer 36 of 72 is the one that jukemir chose. `precision`
    "float16" is the published extraction's. Without lyrics; artist and genre are given as unknown.
    """

    name: ClassVar[str] = "jukebox"
    reader: ClassVar[str] = "jukebox:load_jukebox"

    clip_seconds: Seconds = 24.0
    layer: Annotated[int, Field(ge=1, le=72)] = 36
    precision: Literal["float32", "float16"] = "float32"


@dataclass(frozen=True)
class MULE(Pretrained):
    """The network's output for slices of 3 s, every 2 s, averaged over the slices.

    The published weights are TensorFlow's; a conversion of them to torch is read. Amplitudes are
    those of the mean of the channels at full scale. The authors' reader divides 16-bit samples by
    65,536 and adds the channels up, which is the same for stereo and half of it for mono files.
    """

    name: ClassVar[str] = "mule"
    reader: ClassVar[str] = "mule:load_mule"
    minimum_seconds: ClassVar[float] = 3.0

    layer: Literal["last"] = "last"


@dataclass(frozen=True)
class MuQ(Pretrained):
    """Hidden states of MuQ-large-msd-iter: `layer` 0 is the conformer's input, 12 its output."""

    name: ClassVar[str] = "muq"
    reader: ClassVar[str] = "muq:load_muq"

    layer: Annotated[int, Field(ge=0, le=12)] = 12


@dataclass(frozen=True)
class MuQMuLan(Pretrained):
    """The joint embedding of pieces of 10 s, each of unit length, averaged over the pieces.

    The last piece is completed with the start of the clip. The text tower is not loaded.
    """

    name: ClassVar[str] = "muq_mulan"
    reader: ClassVar[str] = "muq:load_muq_mulan"

    layer: Literal["last"] = "last"
