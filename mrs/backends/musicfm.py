"""MusicFM (arXiv 2311.03318): a conformer over mel spectrograms, trained to predict tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile

if TYPE_CHECKING:
    from mrs.backends.networks.conformer import ConformerSize

REPOSITORY = "minzwon/MusicFM"
REVISION = "4513b38bc25ad1d227b1980819b9691ba97f4d87"
FRAME_RATE = 25  # Hz


@dataclass(frozen=True)
class MusicFM(Backend):
    """Hidden states of MusicFM-MSD: `layer` 0 is the conformer's input, 12 its output.

    `pooling` "mean" runs over time and gives 1,024 numbers. "channels" is the published extraction
    of the first paper: the mean of each frame's channels, 750 numbers for 30 s, a curve over time
    in which shorter clips are filled up with silence.
    """

    name: ClassVar[str] = "musicfm"
    sample_rate: ClassVar[int] = 24_000
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers' conformer); the model's own is MIT",
        weights_licence="MIT",
        revision=REVISION,
        n_parameters=316_343_296,
        corpus="Million Song Dataset",
        objective="BEST-RQ: tokens of a random quantiser at masked frames",
        citation="Won, Hung and Le, ICASSP 2024, arXiv 2311.03318",
        source=f"huggingface.co/{REPOSITORY}",
    )
    weights: ClassVar[tuple[WeightFile, ...]] = (
        WeightFile.on_hub(
            REPOSITORY,
            REVISION,
            "pretrained_msd.pt",
            "218b483a0256ddef736267425fabb166fd97008983696bb9270def464b47bded",
        ),
        WeightFile.on_hub(
            REPOSITORY,
            REVISION,
            "msd_stats.json",
            "c36c61ab10ca4d2e7fdfefc3fcc15205316bec276a06a47baa3641a62c546f22",
        ),
    )
    size: ClassVar["ConformerSize | None"] = None  # the published one

    layer: Annotated[int, Field(ge=0, le=12)] = 12
    pooling: Literal["mean", "channels"] = "mean"

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

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.conformer import ConformerSize, load_musicfm

        filled = round(self.clip_seconds * self.sample_rate) if self.pooling == "channels" else 0
        network = load_musicfm(
            self.name,
            self.size or ConformerSize(),
            folder / "pretrained_msd.pt",
            folder / "msd_stats.json",
            self.layer,
            filled,
        )
        return TorchModel(network, self.pooling)
