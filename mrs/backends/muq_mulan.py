"""MuQ-MuLan (arXiv 2501.01108, section 3.5): MuQ in a joint space with text."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from mrs.backends import muq
from mrs.backends.base import Backend, Facts, Model, WeightFile

REPOSITORY = "OpenMuQ/MuQ-MuLan-large"
REVISION = "2e01c796b71dca71b45251384c04cd7b237c9020"


@dataclass(frozen=True)
class MuQMuLan(Backend):
    """The joint embedding of pieces of 10 s, each of unit length, averaged over the pieces.

    The last piece is completed with the start of the clip. The text tower is not loaded.
    """

    name: ClassVar[str] = "muq_mulan"
    sample_rate: ClassVar[int] = 24_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers' conformer); the model's own is MIT",
        weights_licence="CC BY-NC 4.0",
        revision=REVISION,
        n_parameters=317_524_224,
        corpus="130,000 hours of music with text, not published",
        objective="contrast of audio and text, from MuQ's weights",
        citation="Zhu et al., arXiv 2501.01108",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(
            muq.REPOSITORY, muq.REVISION, "config.json", muq.CONFIG_SHA256, place="muq/config.json"
        ),
        WeightFile.on_hub(REPOSITORY, REVISION, "config.json"),
        WeightFile.on_hub(REPOSITORY, REVISION, "pytorch_model.bin"),
    )

    layer: Literal["last"] = "last"
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.muq import load_muq_mulan

        inner, config, weights = (folder / file.name for file in self.weights)
        joint = self.embedding_size
        return TorchModel(load_muq_mulan(self.name, inner, config, weights, joint))
