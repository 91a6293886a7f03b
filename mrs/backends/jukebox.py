"""Jukebox (arXiv 2005.00341): a language model of music codes, read as in jukemir."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from mrs.backends.base import Backend, Facts, Model, WeightFile
from mrs.settings import Seconds

if TYPE_CHECKING:
    from mrs.backends.networks.jukebox import JukeboxSize

SOURCE = "https://openaipublic.azureedge.net/jukebox/models/5b"


@dataclass(frozen=True)
class Jukebox(Backend):
    """Outputs of layer `layer` of the 5B top prior, counted from 1, over the first 23.8 s.

    That is the prior's whole context; layer 36 of 72 is the one that jukemir chose. `precision`
    "float16" is the published extraction's. Without lyrics; artist and genre are given as unknown.
    """

    name: ClassVar[str] = "jukebox"
    sample_rate: ClassVar[int] = 44_100
    card: ClassVar[Facts] = Facts(
        code_licence="Apache-2.0 (transformers)",
        weights_licence="OpenAI's Noncommercial Use License",
        revision="5b",
        n_parameters=2_561_131_424,
        corpus="1.2 million songs collected from the web, not published",
        objective="the next code of a VQ-VAE",
        citation="Dhariwal et al., arXiv 2005.00341; read as in Castellon, Donahue and Liang, "
        "ISMIR 2021, arXiv 2107.05677",
        source=SOURCE,
    )
    weights: ClassVar[tuple[WeightFile, ...]] = tuple(
        WeightFile(name, f"{SOURCE}/{name}") for name in ("vqvae.pth.tar", "prior_level_2.pth.tar")
    )
    size: ClassVar["JukeboxSize | None"] = None  # the published one

    clip_seconds: Seconds = 24.0
    layer: Annotated[int, Field(ge=1, le=72)] = 36
    precision: Literal["float32", "float16"] = "float32"
    pooling: Literal["mean"] = "mean"

    @override
    def load(self, folder: Path) -> Model:
        from mrs.backends.networks.common import TorchModel
        from mrs.backends.networks.jukebox import JukeboxSize, load_jukebox

        vqvae, prior = (folder / file.name for file in self.weights)
        size, half = self.size or JukeboxSize(), self.precision == "float16"
        return TorchModel(load_jukebox(self.name, size, vqvae, prior, self.layer, half))
