from pathlib import Path

import pytest

from mrs.errors import InputError
from mrs.recommenders import make_recommender
from mrs.study.study import Study, load_study

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_that_come_along_load(path: Path) -> None:
    study = load_study(path)
    assert study.recommenders
    slugs = [variant.slug for variant in study.recommenders]
    assert len(set(slugs)) == len(slugs)


def test_variants(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "title: t\nrecommenders: [knn, {knn: {center: 'true'}}]\n"))
    plain, centred = study.recommenders
    assert (plain.label, plain.slug) == ("KNN", "knn")
    assert (centred.label, centred.slug) == ("KNN (center=true)", "knn-center-true")
    assert centred.settings == {"center": True}


def test_a_variant_under_a_protocol(tmp_path: Path) -> None:
    entry = "{knn: {protocol: 'published:knn_profiles'}}"
    study = load_study(write(tmp_path, f"title: t\nrecommenders: [knn, {entry}]\n"))
    plain, published = study.recommenders
    assert (plain.protocol, published.protocol) == ("corrected", "published:knn_profiles")
    assert published.label == "KNN (protocol=published:knn_profiles)"
    assert published.slug == "knn-protocol-published-knn_profiles"
    assert published.settings == {}


def test_a_recommender_that_stands_alone_bears_its_plain_name(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "title: t\nrecommenders: [{knn: {center: true}}, random]"))
    assert [v.label for v in study.recommenders] == ["KNN", "Random"]
    assert [v.slug for v in study.recommenders] == ["knn", "random"]
    assert study.recommenders[0].settings == {"center": True}


def test_variants_are_told_apart_by_what_they_do_not_share(tmp_path: Path) -> None:
    text = """
title: t
recommenders:
  - hybrid: &short {max_epochs: 3, patience: 2}
  - hybrid: {<<: *short, n_components: none}
"""
    plain, whole = load_study(write(tmp_path, text)).recommenders
    assert (plain.label, plain.slug) == ("Hybrid", "hybrid")
    assert (whole.label, whole.slug) == ("Hybrid (n_components=none)", "hybrid-n_components-none")
    assert whole.settings == {"max_epochs": 3, "patience": 2, "n_components": None}


def test_some_recommenders_have_other_controls(tmp_path: Path) -> None:
    text = """
title: t
recommenders: [knn, hybrid, {hybrid: {n_components: none}}, {hybrid: {n_components: 8}}]
shuffled_seeds: [0]
shuffled_seeds_of: {hybrid: [0, 1, 2], hybrid-n_components-none: []}
"""
    study = load_study(write(tmp_path, text))
    assert [study.controls(v) for v in study.recommenders] == [(0,), (0, 1, 2), (), (0, 1, 2)]


def test_some_recommenders_have_other_seeds(tmp_path: Path) -> None:
    text = """
title: t
recommenders: [hybrid, {hybrid: {n_components: none}}, elsa]
seeds: [0, 1, 2]
seeds_of: {hybrid: [0, 1], hybrid-n_components-none: [4]}
"""
    study = load_study(write(tmp_path, text))
    assert [study.fits(v) for v in study.recommenders] == [(0, 1), (4,), (0, 1, 2)]


def test_another_dataset(tmp_path: Path) -> None:
    path = write(tmp_path, "title: t\ndataset: demo\nrecommenders: [random]\n")
    assert load_study(path, dataset="elsewhere").dataset == "elsewhere"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: [", ["row", "YAML"]),
        ("- a", ["no mapping"]),
        ("title: t", ["recommenders"]),
        ("title: t\nrecommenders: []", ["at least one recommender"]),
        ("title: t\nrecommenders: [knm]", ["'knm' is unknown"]),
        ("title: t\nrecommenders: [{knn: {centre: 1}}]", ["'centre'", "center"]),
        ("title: t\nrecommenders: [knn, random, knn]", ["twice"]),
        ("title: t\nrecommenders: [knn]\nscenarios: [warm]", ["'warm'", "hot, cold"]),
        ("title: t\nrecommenders: [knn]\nk: [0]", ["1 or more"]),
        ("title: t\nrecommenders: [knn]\nseeds: []", ["seeds"]),
        (
            "title: t\nrecommenders: [knn]\nseeds: [0, -1]",
            ["seeds.1", "greater than or equal to 0"],
        ),
        ("title: t\nrecommenders: [knn]\nseeds: [1, 1]", ["seeds", "twice"]),
        ("title: t\nrecommenders: [knn]\nbackends: [a, a]", ["backends", "twice"]),
        ("title: t\nrecommenders: [knn]\nscenarios: [hot, hot]", ["scenarios", "twice"]),
        ("title: t\nrecommenders: [knn]\nthreads: 0", ["threads", "greater than or equal to 1"]),
        ("title: t\nrecommenders: [knn]\nsede: [1]", ["sede"]),
        ("title: t\nrecommenders: [knn]\nshuffled_seeds_of: {elsa: [1]}", ["elsa", "lacks"]),
        ("title: t\nrecommenders: [knn]\nseeds_of: {elsa: [1]}", ["seeds_of", "elsa", "lacks"]),
        ("title: t\nrecommenders: [elsa]\nseeds_of: {elsa: []}", ["seeds_of.elsa"]),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_study(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in [str(path), *words]:
        assert word in message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such study file"):
        load_study(tmp_path / "none.yaml")


def values_of(study: Study) -> set[tuple]:
    """Recommenders with their hyper-parameters, whatever tells them apart."""
    return {(one.name, tuple(one.settings.items()), one.protocol) for one in study.recommenders}


def test_the_full_demo_has_what_the_default_one_has_and_more() -> None:
    """At the same hyper-parameters, so that they share their runs."""
    short, full = (load_study(STUDIES / f"{name}.yaml") for name in ("demo", "demo-full"))
    assert values_of(short) < values_of(full)
    assert set(short.seeds) < set(full.seeds)
    assert set(short.seeds) == set(full.seeds_of["bert4rec"])
    for variant in full.recommenders:
        bare = "n_components-none" in variant.slug or "max_length-50" in variant.slug
        cheap = variant.name == "knn" or variant.name.startswith("bimodal")
        dear = variant.name == "bert4rec"
        assert len(full.controls(variant)) == (0 if bare else 10 if cheap else 3 if dear else 5)
        whole = "n_components-none" in variant.slug
        assert len(full.fits(variant)) == ((1 if whole else 3) if dear else 5)


@pytest.mark.parametrize("name", ["worlds", "variations"])
def test_other_worlds_have_the_default_ones_hyper_parameters(name: str) -> None:
    short, other = (load_study(STUDIES / f"{name}.yaml") for name in ("demo", name))
    whole = ("n_components", None)
    own = {values for values in values_of(other) if whole not in values[1]}
    assert own < values_of(short)


def test_settings_of_the_yambda_study_are_the_published_ones() -> None:
    """Of gmeehan96/ACARec, for Yambda: without and with the artist's mean."""
    study = load_study(STUDIES / "yambda-50m.yaml")
    found = {(v.name, v.settings.get("use_artist", False)): v for v in study.recommenders}

    def full(name: str, use_artist: bool = False) -> dict:
        return found[name, use_artist].model.settings()

    clcrec = full("clcrec")
    names = ("temperature", "lambda_", "sample_rate", "learning_rate", "regularization")
    assert [clcrec[name] for name in names] == [1, 0.6, 0.6, 1e-3, 1e-4]
    assert (clcrec["n_negatives"], clcrec["patience"]) == (128, 5)
    names = ("alpha", "dropout", "n_experts", "learning_rate", "regularization", "batch_size")
    for use_artist, alpha in ((False, 1e-5), (True, 1e-3)):
        heater = full("heater", use_artist)
        assert [heater[name] for name in names] == [alpha, 0.8, 7, 1e-3, 1e-4, 1024]
    names = ("alpha", "beta", "learning_rate", "regularization", "batch_size", "patience")
    for use_artist, values in ((False, [1, 0.6, 1e-3, 1e-6]), (True, [1, 0.8, 1e-4, 1e-5])):
        gar = full("gar", use_artist)
        assert [gar[name] for name in names] == [*values, 1024, 10]
    names = ("learning_rate", "regularization", "batch_size", "patience")
    for use_artist, regularization in ((False, 1e-4), (True, 1e-6)):
        deepmusic = full("deepmusic", use_artist)
        assert [deepmusic[name] for name in names] == [3e-4, regularization, 2048, 10]
    acarec = study.recommenders[-5]
    assert acarec.slug == "acarec"
    values = acarec.model.settings()
    names = ("learning_rate", "regularization", "batch_size", "max_epochs", "patience")
    assert [values[name] for name in names] == [5e-4, 0, 1024, 500, 15]
    assert (values["n_catalogue"], values["n_catalogue_inference"]) == (5, 250)
    backbone = make_recommender(values["backbone"], {}).settings()
    assert (values["backbone"], backbone["embedding_size"]) == ("bpr", 128)
