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

_HELD_OUT = "ours: NDCG@20 on held-out tracks; there a vote of three metrics"
_BACKBONE_EPOCHS = Source(
    ours="ours: artists' means rise no more from about there; no light listeners stop it"
)
_COLD = {
    "backbone": Source("bpr", "P3, main.py and main_baseline.py"),
    "backbone_epochs": _BACKBONE_EPOCHS,
    "n_components": Source(
        "none",
        "P3, raw vectors",
        "ours: equal terms for all backends, since width alone costs time and gives parameters",
    ),
    "max_epochs": Source("500", "P3, main.py and main_baseline.py: an upper end"),
}
_CONTENT_MAP = _COLD | {"use_artist": Source("false, true", "P3, main_baseline.py: both are run")}

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
    "artist_mean": {
        "backbone": Source("bpr", "P3, main_baseline.py: artist_means_BPR"),
        "backbone_epochs": _BACKBONE_EPOCHS,
    },
    "deepmusic": _CONTENT_MAP
    | {
        "learning_rate": Source("0.001, 0.0003", "P3, main_baseline.py: Music4All-Onion, Yambda"),
        "regularization": Source(
            "0.0, 1e-06, 0.0001", "P3, main_baseline.py: content, artist mean, Yambda"
        ),
        "batch_size": Source("2048", "P3, main_baseline.py"),
        "patience": Source("10", "P3, main_baseline.py", _HELD_OUT),
    },
    "clcrec": _CONTENT_MAP
    | {
        "use_artist": Source(ours="ours: there CLCRec reads content alone"),
        "embedding_size": Source("128, 512", "P3, main_baseline.py: Yambda, Music4All-Onion"),
        "lambda_": Source("0.2, 0.6", "P3, main_baseline.py: Music4All-Onion, Yambda"),
        "temperature": Source("1.0", "P3, main_baseline.py"),
        "sample_rate": Source(
            "0.9, 0.6", "P3, main_baseline.py: num_sample, which its model does not read"
        ),
        "n_negatives": Source(
            "128", "P3, main_baseline.py", "ours: drawn for a batch, there for each pair"
        ),
        "learning_rate": Source("0.001", "P3, main_baseline.py: Adam"),
        "regularization": Source("0.0001", "P3, main_baseline.py: times the rows' mean length"),
        "batch_size": Source("2048", "P3, main_baseline.py: pairs"),
        "patience": Source("5", "P3, main_baseline.py", _HELD_OUT),
    },
    "heater": _CONTENT_MAP
    | {
        "n_experts": Source("7, 5", "P3, main_baseline.py: 5 with artist mean on Music4All-Onion"),
        "dropout": Source("0.5, 0.8", "P3, main_baseline.py: Music4All-Onion, Yambda"),
        "alpha": Source("0.001, 0.0001, 1e-05", "P3, main_baseline.py, by dataset and variant"),
        "learning_rate": Source("0.001, 0.0001", "P3, main_baseline.py: Yambda, Music4All-Onion"),
        "regularization": Source("1e-05, 0.0001", "P3, main_baseline.py: weight decay"),
        "batch_size": Source("1024", "P3, main_baseline.py: pairs"),
        "patience": Source("10", "P3, main_baseline.py", _HELD_OUT),
    },
    "gar": _CONTENT_MAP
    | {
        "alpha": Source(
            "1.0",
            "P3, main_baseline.py",
            "ours: at 1 the generator never meets the discriminator",
        ),
        "beta": Source("0.0, 0.6, 0.8", "P3, main_baseline.py, by dataset and variant"),
        "learning_rate": Source("0.001, 0.0001", "P3, main_baseline.py, by dataset and variant"),
        "regularization": Source("1e-06, 1e-05, 0.0001", "P3, main_baseline.py: weight decay"),
        "batch_size": Source("1024", "P3, main_baseline.py: pairs"),
        "patience": Source("10", "P3, main_baseline.py", _HELD_OUT),
    },
    "acarec": _COLD
    | {
        "hidden_size": Source(
            "128, 512",
            "P3, main.py: emb_size on Yambda and Music4All-Onion, as wide as the backbone",
        ),
        "n_heads": Source("8", "P3, main.py"),
        "n_catalogue": Source("5", "P3, main.py: n_artist_items"),
        "n_catalogue_inference": Source("250", "P3, main.py: val_artist_tracks"),
        "self_attention": Source("true", "P3, main.py: use_self_attn"),
        "fusion": Source("gru", "P3, main.py: gru_mix"),
        "content_input": Source("true", "P3, main.py"),
        "learning_rate": Source("0.0005", "P3, main.py: Adam"),
        "regularization": Source("0.0", "P3, main.py: weight decay"),
        "batch_size": Source("1024", "P3, main.py: tracks"),
        "patience": Source("15", "P3, main.py", _HELD_OUT),
    },
    "popularity": {},
    "artist_popularity": {},
    "random": {"embedding_size": Source(ours="ours: any size is at chance")},
    "oracle": {},
    "oracle_content": {},
}
