"""Every hyper-parameter of every recommender: what it may be and what it may not."""

from dataclasses import fields

import numpy as np
import pytest
from recommenders.coldstart.material import backbone, sounds, with_artists

from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS, make_recommender

NUMBERS = ("text", "", "nan", float("nan"), "inf", float("inf"), "-inf", None, [], True)
WHOLE = (*NUMBERS, 1.5, "0.5")
COUNT = ((1, "10.0", "1e3", 10_000_000), (0, -1, "10000001", 1e30, *WHOLE))
FEW = ((1, 1000), (0, -1, 1001, *WHOLE))
NEGATIVES = ((1, 10_000), (0, -1, 10_001, *WHOLE))
BATCH = ((2, 10_000_000), (1, 0, -1, 10_000_001, *WHOLE))
WIDTH = ((1, 16_384), (0, -1, 16_385, *WHOLE))
SHARE = ((0, "1", 1.0), (-0.01, 1.01, *NUMBERS))
FLAG = ((True, False, "true", "False"), ("maybe", 2, "", None, float("nan")))
BACKBONE = (("elsa", "als", "bpr"), ("knn", "", None, 1, True))
TEMPERATURE = ((0.03, "100"), (0.029, 100.1, 0, -1, *NUMBERS))
PENALTY = ((0, "1e-6", 1e6), (-1e-9, 1.1e6, *NUMBERS))

# By field, and by recommender and field where that differs: what is taken, and what is not.
FIELDS: dict[str, tuple[tuple, tuple]] = {
    "alpha": PENALTY,
    "als.alpha": ((1e-6, "1e6"), (0, -1, 1.1e6, *NUMBERS)),
    "gar.alpha": SHARE,
    "backbone": BACKBONE,
    "backbone_epochs": COUNT,
    "batch_size": COUNT,
    "bimodal_content.batch_size": BATCH,
    "bimodal_collaborative.batch_size": BATCH,
    "bimodal_average.batch_size": BATCH,
    "gar.batch_size": BATCH,
    "heater.batch_size": BATCH,
    "beta": SHARE,
    "center": FLAG,
    "confidence": FLAG,
    "content_input": FLAG,
    "dropout": ((0, 0.99), (-0.01, 1, *NUMBERS)),
    "heater.dropout": SHARE,
    "embedding_size": WIDTH,
    "feedforward_size": WIDTH,
    "fusion": (("gru", "glu", "residual"), ("GRU", "sum", None, 0)),
    "hidden_size": WIDTH,
    "lambda_": SHARE,
    "learning_rate": ((1e-12, "1"), (0, -1, 1.01, *NUMBERS)),
    "loss": (("dcl", "dclw", "sdcl", "sdclw", "adcl", "adclw"), ("ntxent", "", None, 1)),
    "margin": ((0, "2"), (-0.01, 2.01, *NUMBERS)),
    "mask_probability": ((1e-9, 0.999), (0, 1, -1, *NUMBERS)),
    "max_epochs": COUNT,
    "max_length": ((2, 16_384), (1, 0, 16_385, *WHOLE)),
    "n_catalogue": COUNT,
    "n_catalogue_inference": COUNT,
    "n_components": (
        (1, 16_384, None, "none", "None"),
        (0, -1, 16_385, *(value for value in WHOLE if value is not None)),
    ),
    "n_experts": FEW,
    "n_heads": ((1, 2, 4), (0, -1, 3, 1001, *WHOLE)),
    "n_layers": FEW,
    "n_negatives": COUNT,
    "shallow.n_negatives": NEGATIVES,
    "shallow_ids.n_negatives": NEGATIVES,
    "negatives": (("users", "tracks"), ("items", "", None, 1)),
    "patience": COUNT,
    "regularization": PENALTY,
    "residual": FLAG,
    "sample_rate": SHARE,
    "self_attention": FLAG,
    "sigma": TEMPERATURE,
    "softmax": (("full", "sampled"), ("half", "", None, 1)),
    "temperature": TEMPERATURE,
    "train_items": FLAG,
    "train_users": FLAG,
    "use_artist": FLAG,
}


EVERY = [(name, entry.name) for name, kind in RECOMMENDERS.items() for entry in fields(kind)]


@pytest.mark.parametrize(("name", "field"), EVERY)
def test_every_field_takes_its_range_and_nothing_else(name: str, field: str) -> None:
    kind = RECOMMENDERS[name]
    taken, refused = FIELDS.get(f"{name}.{field}", FIELDS[field])
    others = {"n_heads": 1} if field in ("embedding_size", "hidden_size") else {}
    others = {key: value for key, value in others.items() if key in kind().settings()}
    default = kind().settings()[field]
    for value in (default, str(default).lower(), *taken):
        made = kind(**others, **{field: value})
        assert made == make_recommender(name, others | {field: value})
        assert type(made.settings()[field]) in (type(default), type(None))
    for value in refused:
        for make in (lambda given: kind(**given), lambda given: make_recommender(name, given)):
            with pytest.raises(InputError) as caught:
                make(others | {field: value})
            words = str(caught.value)
            assert words.startswith(f"recommender {name}: {field}={value}".rstrip())
            assert "\n" not in words
            assert len(words) <= 150


def test_text_becomes_what_it_says() -> None:
    given = {"n_components": "NONE", "n_negatives": "1e3", "confidence": "True", "margin": " 1e-3 "}
    made = make_recommender("shallow", given).settings()
    assert [made[name] for name in given] == [None, 1000, True, 0.001]
    assert [type(made[name]) for name in given] == [type(None), int, bool, float]


def test_a_value_of_many_words_stays_on_one_line() -> None:
    with pytest.raises(InputError, match=r"^recommender shallow: negatives=a b \[...\] should be"):
        make_recommender("shallow", {"negatives": "a\nb " + 100 * "c"})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("elsa", {"embedding_size": 64}),  # more than tracks, as everywhere here
        ("elsa", {"batch_size": 10_000_000, "patience": 10_000_000}),
        ("als", {"embedding_size": 64}),
        ("bpr", {"learning_rate": 1e-12}),
        ("shallow", {"n_components": 16_384, "n_negatives": 1000}),
        ("hybrid", {"n_components": 1, "learning_rate": 1}),
        ("bimodal_content", {"batch_size": 2, "temperature": 0.03}),
        ("bert4rec", {"max_length": 2, "mask_probability": 1e-9}),
        ("bert4rec_ids", {"softmax": "sampled", "n_negatives": 10_000_000}),
        ("clcrec", {"batch_size": 1, "n_negatives": 10_000_000}),
        ("gar", {"batch_size": 2, "alpha": 1, "beta": 0}),
        ("heater", {"batch_size": 2, "dropout": 1}),
        ("acarec", {"n_catalogue": 1000, "n_catalogue_inference": 1}),
    ],
)
def test_ends_of_the_ranges_give_numbers_on_a_tiny_world(name: str, settings: dict) -> None:
    split = with_artists()
    given = {"max_epochs": 2} | ({"n_heads": 1} if "bert4rec" in name else {}) | settings
    recommender = make_recommender(name, given)
    read = (
        sounds(recommender.tracks_needed(split), split) if "vectors" in recommender.needs else None
    )
    fitted = recommender.fit(split, read, backbone=backbone(split), seed=0)
    assert np.isfinite(fitted.users()).all()
    assert np.isfinite(fitted.items()).all()
    assert np.isfinite([list(row.values()) for row in fitted.curve]).all()


def test_a_training_that_diverges_is_no_fit() -> None:
    with pytest.raises(InputError, match="recommender bpr: training diverged; choose a lower"):
        make_recommender("bpr", {"regularization": 1e6}).fit(with_artists(), seed=0)
