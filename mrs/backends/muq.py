"""MuQ (arXiv 2501.01108): a conformer over mel spectrograms, trained on a learnt quantiser."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile

REPOSITORY = "OpenMuQ/MuQ-large-msd-iter"
REVISION = "0562a57814f6f8bbd9fdea0a25921a2fce1a841a"
CONFIG_SHA256 = "237335ee27d8fb951ce778701a12a79e06c51ae636dd786f97e45f51ce532543"


@dataclass(frozen=True)
class MuQ(Backend):
    """Hidden states of MuQ-large-msd-iter: `layer` 0 is the conformer's input, 12 its output."""

    name: ClassVar[str] = "muq"
    sample_rate: ClassVar[int] = 24_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers' conformer); the model's own is MIT",
        weights_licence="CC BY-NC 4.0",
        revision=REVISION,
        n_parameters=316_343_296,
        corpus="Million Song Dataset",
        objective="tokens of a mel residual vector quantiser at masked frames, iterated once",
        citation="Zhu et al., arXiv 2501.01108",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(REPOSITORY, REVISION, "config.json", CONFIG_SHA256),
        WeightFile.on_hub(
            REPOSITORY,
            REVISION,
            "model.safetensors",
            "273febab2be02872c37d2c37e48a9d6c52c1c9392f3eeeabd498efa281ccb7a6",
        ),
    )

    layer: Annotated[int, Field(ge=0, le=12)] = 12
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.muq import load_muq

        config, weights = (folder / file.name for file in self.weights)
        width = self.embedding_size
        return TorchModel(load_muq(self.name, config, weights, self.layer, width))
