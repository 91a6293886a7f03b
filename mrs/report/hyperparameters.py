"""Where each hyper-parameter's default comes from: what was published, where, and why ours differs.

P1 is arXiv 2409.08987 with its code (Darel13712/pretrained-audio-representations at ad0f645), P2
arXiv 2604.23077 with its code (Darel13712/adopting-pretrained-audio at 2a36454), P3 the code of
arXiv 2604.07090 (gmeehan96/ACARec at 522e21b).
"""

import re
from dataclasses import dataclass
from typing import Any

_CODE = re.compile(r"\.(py|sh)\b|^P3")


@dataclass(frozen=True)
class Source:
    """What was published for a hyper-parameter, and where; or why it has the default it has.

    `published` is empty where nothing was; `where` is then empty too.
    """

    published: str = ""
    where: str = ""
    ours: str = ""

    def of(self, value: Any) -> str:
        """Where a value comes from: "paper" or "code" if it is a published one, else "ours"."""
        if plain(value) not in self.published.split(", "):
            return "ours"
        return "code" if _CODE.search(self.where) else "paper"


def plain(value: Any) -> str:
    """A value as tables show it and as `Source.published` has it."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


_STOP = "ours: stops on NDCG@50 of held-out pairs; there on a loss"
_COMPONENTS = Source(
    "none",
    "P2, raw vectors of any width",
    "ours: equal terms for all backends, since width alone costs time and gives parameters",
)

_HINGE = {
    "margin": Source("0.2", "P2, train.py: max(0, 0.2 - positive + negative)"),
    "n_negatives": Source("20", "P1, train.sh; P2, train.py"),
    "negatives": Source("users", "P2, train.py, mode item", "ours: never one who played the track"),
    "confidence": Source("false", "P2, train.py: an option, off by default"),
    "learning_rate": Source("0.001", "P2, train.py: Adam"),
    "batch_size": Source("10000", "P1, train.sh; P2, train.py"),
    "max_epochs": Source("100", "P1, train.sh; P2, train.py"),
    "patience": Source("16", "P2, train.py", _STOP),
}

_BIMODAL = {
    "loss": Source(
        "dcl, adcl",
        "P2, contrastive.py: default DCL; names of the runs of seven backends: ADCL",
        "ours: the loss of most published runs, in both directions",
    ),
    "temperature": Source("0.1", "P2, contrastive.py"),
    "sigma": Source("0.5", "P2, contrastive.py; read by the losses that end in w alone"),
    "embedding_size": Source("768", "P2, contrastive.py"),
    "backbone": Source("elsa", "P2, train_contrast.py"),
    "n_components": _COMPONENTS,
    "learning_rate": Source("0.001", "P2, train_contrast.py: Adam"),
    "batch_size": Source("10000", "P2, train_contrast.py"),
    "max_epochs": Source("100", "P2, train_contrast.py"),
    "patience": Source("16", "P2, train_contrast.py", _STOP),
}

_SEQUENCE = {
    "embedding_size": Source(
        "104 to 4800",
        "P2, train_bert.py: the vectors' own width",
        "ours: the same capacity for every backend",
    ),
    "n_layers": Source("2", "P2, protocol of BERT4Rec in train_bert.py"),
    "n_heads": Source("2", "P2, train_bert.py"),
    "feedforward_size": Source("256", "P2, train_bert.py"),
    "max_length": Source("300", "P1, run names; P2, train_bert.py: the most recent tracks"),
    "dropout": Source("0.1", "P2, train_bert.py: the default of Hugging Face's BERT"),
    "mask_probability": Source("0.2", "P2, train_bert.py", "ours: a share of each history"),
    "softmax": Source("full", "P2, train_bert.py: cross entropy over the tied item table"),
    "n_negatives": Source(ours="ours: read with softmax=sampled alone"),
    "learning_rate": Source("0.001", "P2, train_bert.py: Adam"),
    "batch_size": Source("128", "P2, train_bert.py"),
    "max_epochs": Source("200", "P2, train_bert.py", "ours: an upper end; held-out pairs stop it"),
    "patience": Source(
        "16", "P2, train_bert.py", "ours: fewer epochs in all; stops on NDCG@50 of held-out pairs"
    ),
}

SOURCES: dict[str, dict[str, Source]] = {
    "knn": {
        "center": Source("false", "P2, knn.py", "true is ours: a row of its own"),
    },
    "shallow": _HINGE
    | {
        "n_components": _COMPONENTS,
        "train_users": Source("true", "P1 as described: users learned; options item_freeze"),
        "train_items": Source("false", "P1 as described: pretrained tracks frozen"),
    },
    "shallow_ids": _HINGE
    | {"embedding_size": Source("128", "P1, train.sh: hidden size of the random start")},
    "bimodal_content": _BIMODAL,
    "bimodal_collaborative": _BIMODAL,
    "bimodal_average": _BIMODAL,
    "hybrid": {
        "hidden_size": Source("768", "P2, hybrid.py"),
        "n_components": _COMPONENTS,
        "learning_rate": Source("0.01", "P2, train_hybrid.py"),
        "batch_size": Source("128", "P2, train_hybrid.py: users"),
        "max_epochs": Source("200", "P2, train_hybrid.py"),
        "patience": Source("16", "P2, train_hybrid.py", _STOP),
    },
    "bert4rec": _SEQUENCE
    | {
        "n_components": _COMPONENTS,
        "residual": Source(
            ours="ours: lets train tracks leave their projection, as a trained item table may"
        ),
    },
    "bert4rec_ids": _SEQUENCE
    | {
        "embedding_size": Source(
            "128", "P1: hidden size of the random start", "ours: as BERT4Rec on audio here"
        ),
    },
    "elsa": {
        "embedding_size": Source(
            "768", "P2, elsa.py", "ours: the generated world has few tracks; more takes longer"
        ),
        "learning_rate": Source(
            "0.1, 0.01",
            "P2, elsa.py: NAdam at the library's default; the run's name says 0.01",
            "ours: between the two",
        ),
        "batch_size": Source("128", "P2, elsa.py"),
        "max_epochs": Source("10", "P2, elsa.py", "ours: an upper end; held-out pairs stop it"),
        "patience": Source(ours="ours: there a fixed number of epochs"),
    },
    "als": {
        "embedding_size": Source(ours="ours: as ELSA; 100 in the library implicit"),
        "regularization": Source(ours="ours: stronger than implicit's 0.01, for few tracks"),
        "alpha": Source("40", "Hu, Koren, Volinsky 2008, section 4", "ours: implicit's default"),
        "max_epochs": Source(ours="ours: an upper end; held-out pairs stop it"),
        "patience": Source(ours="ours: as ELSA"),
    },
    "bpr": {
        "embedding_size": Source("128, 512", "P3: Yambda, Music4All-Onion"),
        "learning_rate": Source(ours="ours: twice that of the library implicit, for fewer epochs"),
        "regularization": Source(ours="ours: the default of the library implicit"),
        "max_epochs": Source(ours="ours: an upper end; held-out pairs stop it"),
        "patience": Source(ours="ours: an epoch moves BPR less than ELSA, hence longer"),
    },
    "popularity": {},
    "artist_popularity": {},
    "random": {"embedding_size": Source(ours="ours: any size is at chance")},
    "oracle": {},
    "oracle_content": {},
}
