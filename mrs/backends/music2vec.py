"""Music2Vec (arXiv 2212.02508): a data2vec audio model trained on music."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile
from mrs.settings import number

REPOSITORY = "m-a-p/music2vec-v1"
REVISION = "99b5bfbd4de814b5a44b0e3a3244f737b23c7983"


@dataclass(frozen=True)
class Music2Vec(Backend):
    """Hidden states of music2vec-v1: `layer` 0 is the encoder's input, 12 its output.

    The model hears 16 kHz. The published extraction fed it audio at 24 kHz (`fed_rate`), so that
    everything came 1.5 times slower and 7 semitones lower, and left out the preparation that the
    model's preprocessor file asks for (`processor`).
    """

    name: ClassVar[str] = "music2vec"
    sample_rate: ClassVar[int] = 16_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers)",
        weights_licence="CC BY-NC 4.0",
        revision=REVISION,
        n_parameters=93_163_520,
        corpus="1,000 hours of music, not published",
        objective="data2vec: a teacher's states at masked frames",
        citation="Li et al., ISMIR 2022 late-breaking, arXiv 2212.02508",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(REPOSITORY, REVISION, "config.json"),
        WeightFile.on_hub(REPOSITORY, REVISION, "preprocessor_config.json"),
        WeightFile.on_hub(REPOSITORY, REVISION, "pytorch_model.bin"),
    )

    layer: Annotated[int, Field(ge=0, le=12)] = 12
    processor: bool = True
    fed_rate: Annotated[Literal[16_000, 24_000], BeforeValidator(number)] = 16_000
    pooling: Literal["mean"] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        # Audio is decoded at the rate that it is fed at, whatever the model takes it for.
        object.__setattr__(self, "sample_rate", self.fed_rate)

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.speech import load_data2vec

        width = self.embedding_size
        return TorchModel(load_data2vec(self.name, folder, self.layer, width, self.processor))
