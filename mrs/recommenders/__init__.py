"""History and vectors in, factors out: one module a recommender."""

from typing import Any

from mrs.errors import InputError
from mrs.recommenders.als import ALS, BPR
from mrs.recommenders.artist_popularity import ArtistPopularity
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.bert4rec import BERT4Rec, BERT4RecIds
from mrs.recommenders.bimodal import BimodalAverage, BimodalCollaborative, BimodalContent
from mrs.recommenders.coldstart.acarec import ACARec
from mrs.recommenders.coldstart.artist_mean import ArtistMean
from mrs.recommenders.coldstart.clcrec import CLCRec
from mrs.recommenders.coldstart.deepmusic import DeepMusic
from mrs.recommenders.coldstart.gar import GAR
from mrs.recommenders.coldstart.heater import Heater
from mrs.recommenders.elsa import ELSA
from mrs.recommenders.hybrid import Hybrid
from mrs.recommenders.knn import KNN
from mrs.recommenders.oracle import Oracle, OracleContent
from mrs.recommenders.popularity import Popularity
from mrs.recommenders.random import Random
from mrs.recommenders.shallow import Shallow, ShallowIds

__all__ = ["RECOMMENDERS", "Fitted", "Recommender", "make_recommender"]

RECOMMENDERS: dict[str, type[Recommender]] = {
    kind.name: kind
    for kind in (
        KNN,
        Shallow,
        BimodalContent,
        BimodalCollaborative,
        BimodalAverage,
        Hybrid,
        BERT4Rec,
        ELSA,
        ALS,
        BPR,
        ShallowIds,
        BERT4RecIds,
        ArtistMean,
        DeepMusic,
        CLCRec,
        Heater,
        GAR,
        ACARec,
        Random,
        Popularity,
        ArtistPopularity,
        Oracle,
        OracleContent,
    )
}


def make_recommender(name: str, settings: dict[str, Any]) -> Recommender:
    """A recommender by name with some of its hyper-parameters set.

    Values may be text, as they come from a command line. Raises `InputError` for an unknown name
    or hyper-parameter, or a value that it does not take.
    """
    if name not in RECOMMENDERS:
        known = ", ".join(RECOMMENDERS)
        raise InputError(f"recommender {name!r} is unknown; choose one of {known}")
    return RECOMMENDERS[name].of(settings, "hyper-parameter")
