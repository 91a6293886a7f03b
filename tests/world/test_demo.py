import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.world import demo
from mrs.world.params import Params

SMALL = Params(n_users=200, n_tracks=300, n_artists=40, n_cold=30)
TEST_START = np.datetime64("2019-02-01", "us").astype(np.int64)


@pytest.fixture(scope="module")
def world() -> demo.World:
    return demo.generate(Params())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "demo"
    demo.build(folder, SMALL)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    folder: Path, tmp_path: Path
) -> None:
    demo.build(tmp_path / "again", SMALL)
    assert files(tmp_path / "again") == files(folder)
    other = demo.generate(replace(SMALL, seed=1))
    assert not np.array_equal(other.track[:1000], demo.generate(SMALL).track[:1000])


def test_the_catalogue_of_a_seed_stays_when_listeners_change() -> None:
    few = demo.generate(replace(SMALL, n_users=5))
    assert demo.tracks(few).equals(demo.tracks(demo.generate(SMALL)))


def test_the_folder_is_a_dataset_that_opens_and_splits(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert len(dataset.backends()) == 10
    assert {dataset.card(name).label[:4] for name in dataset.backends()} == {"sim:"}
    split = dataset.split()
    assert len(split.warm) + len(split.cold) == SMALL.n_tracks
    assert abs(len(split.cold) - SMALL.n_cold) <= 2  # a warm track may stay unplayed by chance
    assert len(split.hot_test) > len(split.cold_test) > 100
    assert len(split.val) > 0
    checksums = json.loads((folder / "dataset.json").read_text())["checksums"]
    contents = files(folder)
    assert set(checksums) == set(contents) - {"dataset.json"}
    for name, digest in checksums.items():
        assert hashlib.sha256(contents[name]).hexdigest() == digest


def test_listens_are_sorted_typed_and_inside_the_window(folder: Path) -> None:
    listens = pl.read_parquet(folder / "listens.parquet")
    tracks = pl.read_parquet(folder / "tracks.parquet")
    assert listens.schema == {
        "user_id": pl.Int64,
        "track_id": pl.Int64,
        "timestamp": pl.Datetime("us"),
    }
    assert tracks.schema["release"] == pl.Date
    assert listens.equals(listens.sort("user_id", "timestamp", maintain_order=True))
    assert listens["timestamp"].min() >= datetime(2018, 2, 1)  # type: ignore[operator]
    assert listens["timestamp"].max() < datetime(2019, 3, 1)  # type: ignore[operator]
    released = listens.join(tracks, on="track_id")
    assert len(released) == len(listens)
    assert (released["timestamp"].dt.date() >= released["release"]).all()
    assert tracks.filter(pl.col("release") >= datetime(2018, 2, 1)).height > SMALL.n_cold


def test_truth_has_a_row_for_each_listener_in_the_listens(folder: Path) -> None:
    n_users = pl.read_parquet(folder / "listens.parquet")["user_id"].n_unique()
    for name in ("oracle", "oracle_content"):
        truth = np.load(folder / "truth" / f"{name}.npy")
        assert truth.dtype == np.float32
        assert truth.shape == (n_users, SMALL.n_tracks)
        np.testing.assert_allclose(truth.sum(1), 1, atol=1e-5)


def test_ids_carry_no_information(world: demo.World) -> None:
    n = world.params.n_tracks
    position = np.arange(n)
    plays = np.bincount(world.track, minlength=n)
    for trait in (plays, world.catalogue.release, world.catalogue.artist, world.catalogue.cold):
        assert abs(spearmanr(position, trait)[0]) < 4 / n**0.5
    # Neighbouring rows share a genre as often as any two tracks do.
    genre = world.catalogue.genre
    chance = ((np.bincount(genre) / n) ** 2).sum()
    assert abs((genre[1:] == genre[:-1]).mean() - chance) < 4 * (chance / n) ** 0.5
    # Artists' ids do not tell debut artists either.
    debut = np.flatnonzero(world.catalogue.debut)
    assert debut.min() < 80 <= debut.max()


def test_cold_tracks_debut_artists_and_tracks_that_nobody_plays(world: demo.World) -> None:
    catalogue, n = world.catalogue, world.params.n_tracks
    before = np.bincount(world.track[world.timestamp < TEST_START], minlength=n)
    assert np.array_equal(before == 0, catalogue.cold)
    assert catalogue.cold.mean() == 0.1
    of_debut = catalogue.debut[catalogue.artist]
    assert catalogue.cold[of_debut].all()
    assert of_debut[catalogue.cold].mean() == pytest.approx(0.15)
    warm_artists = np.unique(catalogue.artist[~catalogue.cold])
    assert np.array_equal(warm_artists, np.flatnonzero(~catalogue.debut))
    ever = np.bincount(world.track, minlength=n)
    assert not ever[catalogue.unheard].any()
    assert 0.02 <= (ever == 0).mean() < 0.03


def test_sizes_and_long_tail_are_those_of_the_reference_world(world: demo.World) -> None:
    # An earlier, independent implementation of this world: 1.02 M plays, a median of 102 pairs a
    # listener in the year, and 5 / 30 / 80 % of them on the top 1 / 10 / 50 % of the tracks.
    train = world.timestamp < TEST_START
    pairs = np.unique(np.column_stack([world.user[train], world.track[train]]), axis=0)
    assert 0.97e6 < len(world.user) < 1.1e6
    assert 90 < np.median(np.bincount(pairs[:, 0])) < 115
    counts = np.sort(np.bincount(pairs[:, 1]))[::-1]
    held = [counts[: len(counts) * percent // 100].sum() / counts.sum() for percent in (1, 10, 50)]
    np.testing.assert_allclose(held, [0.05, 0.3, 0.8], atol=0.025)
    assert 3.3 < train.sum() / len(pairs) < 4.1


def test_every_play_is_a_replay_of_the_first_where_all_plays_are_replays() -> None:
    always = demo.generate(replace(SMALL, n_users=50, repeat=1))
    assert len(np.unique(np.column_stack([always.user, always.track]), axis=0)) == 50
    never = demo.generate(replace(SMALL, n_users=50, repeat=0))
    assert len(np.unique(np.column_stack([never.user, never.track]), axis=0)) > 1000


def test_sessions_stay_with_an_artist_or_a_genre() -> None:
    def steady_share(codes: np.ndarray, params: Params) -> float:
        world = demo.generate(params)
        gap = np.diff(world.timestamp) / 60e6
        together = (np.diff(world.user) == 0) & (np.abs(gap - 4) < 1e-3)  # plays are 4 minutes
        code = getattr(world.catalogue, codes)[world.track]
        return float((code[1:] == code[:-1])[together].mean())

    plain = Params(n_users=50, repeat=0, explore=0, same_artist=0, same_genre=0)
    for codes, staying in (("artist", "same_artist"), ("genre", "same_genre")):
        assert steady_share(codes, replace(plain, **{staying: 1})) > 0.98
        assert steady_share(codes, plain) < 0.7


def test_plays_follow_the_oracle() -> None:
    # The mean log probability of what was played equals the negative entropy of the oracle, which
    # neither a draw from other probabilities nor a mismatched row would give.
    world = demo.generate(replace(SMALL, n_users=600, repeat=0))
    oracle = world.oracle().astype(np.float64)
    assert not oracle[:, world.catalogue.unheard].any()
    month = world.timestamp >= TEST_START
    user, track = world.user[month], world.track[month]
    got = np.log(oracle[user, track]).mean()
    terms = oracle * np.log(oracle, where=oracle > 0, out=np.zeros_like(oracle))
    assert got == pytest.approx(terms.sum(1)[user].mean(), abs=0.05)
    new = world.catalogue.new
    assert new[track].mean() == pytest.approx(oracle[user][:, new].sum(1).mean(), rel=0.1)
    content = np.log(world.oracle_content()[user, track]).mean()
    assert -np.log(300) + 0.1 < content < got - 0.3


def test_oracles_agree_where_only_sound_decides() -> None:
    world = demo.generate(replace(SMALL, kappa_scene=0, kappa_fame=0, kappa_hit=0))
    warm = ~world.catalogue.cold
    oracle, content = world.oracle()[:, warm], world.oracle_content()[:, warm]
    rho = [spearmanr(a, b)[0] for a, b in zip(oracle, content, strict=True)]
    assert np.mean(rho) > 0.9  # what is left is the size of the artist's catalogue
    audible = demo.generate(SMALL)
    oracle, content = audible.oracle()[:, warm], audible.oracle_content()[:, warm]
    assert np.mean([spearmanr(a, b)[0] for a, b in zip(oracle, content, strict=True)]) < 0.8


def test_a_build_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(demo, "draw_surrogates", broken)
    with pytest.raises(OSError, match="disk full"):
        demo.build(tmp_path / "demo", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_build_replaces_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a dataset folder"):
        demo.build(tmp_path / "demo", SMALL)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["notes.txt"]
    before = files(folder)
    demo.build(folder, replace(SMALL, seed=5))
    assert files(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
