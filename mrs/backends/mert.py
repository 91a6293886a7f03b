"""MERT-v1-330M (arXiv 2306.00107), an acoustic music model trained with masked prediction."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile

REPOSITORY = "m-a-p/MERT-v1-330M"
REVISION = "5240c2708a5acaee1007f43fb9735c7dcd0b78c9"


@dataclass(frozen=True)
class MERT(Backend):
    """Hidden states of MERT-v1-330M: `layer` 0 is the encoder's input, 24 its output.

    With `processor` the waveform is prepared as the model's preprocessor file says; the published
    extraction left that out.
    """

    name: ClassVar[str] = "mert"
    sample_rate: ClassVar[int] = 24_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers)",
        weights_licence="CC BY-NC 4.0",
        revision=REVISION,
        n_parameters=315_427_968,
        corpus="160,000 hours of music, not published",
        objective="masked prediction of EnCodec codes and of a constant-Q transform",
        citation="Li et al., arXiv 2306.00107",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(REPOSITORY, REVISION, "config.json"),
        WeightFile.on_hub(REPOSITORY, REVISION, "preprocessor_config.json"),
        WeightFile.on_hub(REPOSITORY, REVISION, "pytorch_model.bin"),
    )

    layer: Annotated[int, Field(ge=0, le=24)] = 24
    processor: bool = True
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.speech import load_hubert

        width = self.embedding_size
        return TorchModel(load_hubert(self.name, folder, self.layer, width, self.processor))
