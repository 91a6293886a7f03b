"""EncodecMAE (arXiv 2309.07391): a masked autoencoder over EnCodec's latent frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile

if TYPE_CHECKING:
    from mrs.backends.networks.encodecmae import MaeSize

REPOSITORY = "lpepino/encodecmae-base"
REVISION = "e69ff06205cc2a806176fb27532efbaa94227060"
PIECE_SECONDS = 4  # what the published code hears at a time


@dataclass(frozen=True)
class EncodecMAE(Backend):
    """Frames of the base model's encoder: `layer` 1 to 9 within it, 10 its output."""

    name: ClassVar[str] = "encodecmae"
    sample_rate: ClassVar[int] = 24_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers' EnCodec)",
        weights_licence="MIT",
        revision=REVISION,
        n_parameters=37_446_401,
        corpus="AudioSet, FMA-large and 6,000 hours of Libri-Light",
        objective="EnCodec's codes at masked frames",
        citation="Pepino, Riera and Ferrer, arXiv 2309.07391",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(REPOSITORY, REVISION, "model.pt"),
    )
    size: ClassVar["MaeSize | None"] = None  # the published one

    layer: Annotated[int, Field(ge=1, le=10)] = 10
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.encodecmae import MaeSize, load_encodecmae

        checkpoint = folder / "model.pt"
        piece = PIECE_SECONDS * self.sample_rate
        size = self.size or MaeSize()
        return TorchModel(load_encodecmae(self.name, size, checkpoint, self.layer, piece))
