from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recommenders.coldstart.material import SMALL, backbone, sounds, with_artists
from typer.testing import CliRunner

from mrs.cli import app
from mrs.errors import InputError
from mrs.recommenders import encoding
from mrs.recommenders.base import Fitted
from mrs.recommenders.coldstart.acarec import ACARec
from mrs.recommenders.coldstart.artist_mean import ArtistMean
from mrs.recommenders.encoding import encode_file, load_fitted
from mrs.recommenders.knn import KNN


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fitted, Path]:
    split = with_artists()
    recommender = ACARec(**SMALL | {"max_epochs": 2}, hidden_size=8, n_heads=2)
    read = sounds(split.warm, split)
    fitted = recommender.fit(split, read, backbone=backbone(split), seed=0)
    folder = tmp_path_factory.mktemp("model")
    fitted.save(folder)
    np.save(folder / "new.npy", np.tile(sounds(split.cold, split), (4, 1)))
    names = ["artist 2", "artist 3", "artist 0", "somebody", None, "artist 2"] * 4
    pl.DataFrame({"artist_id": names}).write_csv(folder / "artists.csv")
    return fitted, folder


def test_blocks_of_a_file_equal_one_call(
    saved: tuple[Fitted, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, folder = saved
    monkeypatch.setattr(encoding, "ROWS_AT_ONCE", 5)
    out = tmp_path / "out.npy"
    found = encode_file(load_fitted(folder), folder / "new.npy", folder / "artists.csv", out)
    assert found == (24, 6, 8)
    wanted = fitted.encode(np.load(folder / "new.npy"), np.array([2, 3, 0, -1, -1, 2] * 4))
    assert np.allclose(np.load(out), wanted, atol=1e-6)
    assert np.load(out).dtype == np.float32


def test_the_command(saved: tuple[Fitted, Path], tmp_path: Path) -> None:
    _, folder = saved
    words = ["encode", "--model", str(folder), "--vectors", str(folder / "new.npy")]
    words += ["--artists", str(folder / "artists.csv"), "--out", str(tmp_path / "out.npy")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "24 x 6, 8 of unknown artists" in result.output


def test_every_kind_of_recommender_is_loaded(tmp_path: Path) -> None:
    split = with_artists()
    read = sounds(split.warm, split)
    for fitted in (KNN().fit(split, read), ArtistMean().fit(split, backbone=backbone(split))):
        fitted.save(tmp_path)
        loaded = load_fitted(tmp_path)
        assert type(loaded) is type(fitted)
        assert np.array_equal(loaded.items(), fitted.items())


def test_a_recommender_without_artists(tmp_path: Path) -> None:
    split = with_artists()
    fitted = KNN().fit(split, sounds(split.warm, split))
    np.save(tmp_path / "new.npy", sounds(split.cold, split))
    encode_file(fitted, tmp_path / "new.npy", None, tmp_path / "out.npy")
    assert np.array_equal(np.load(tmp_path / "out.npy"), fitted.encode(sounds(split.cold, split)))


def test_mistakes(saved: tuple[Fitted, Path], tmp_path: Path) -> None:
    fitted, folder = saved
    new, artists, out = folder / "new.npy", folder / "artists.csv", tmp_path / "out.npy"
    short, other, wide, broken = (tmp_path / name for name in ("s.csv", "o.csv", "w.npy", "b.npy"))
    pl.DataFrame({"artist_id": ["artist 1"]}).write_csv(short)
    pl.DataFrame({"name": ["x"] * 24}).write_csv(other)
    np.save(wide, np.ones((24, 9), dtype=np.float32))
    vectors = np.load(new)
    vectors[7, 2] = np.nan
    np.save(broken, vectors)
    for given, message in (
        ((new, None, out), "needs the artist of each of 24 new tracks, got none"),
        ((new, short, out), "1 rows, columns artist_id; give a column artist_id and one row"),
        ((new, other, out), "columns name; give a column artist_id"),
        ((new, tmp_path / "no.csv", out), "no such file"),
        ((tmp_path / "no.npy", artists, out), "no .npy file"),
        ((wide, artists, out), "give the vectors that it read"),
        ((broken, artists, out), "row 7: holds NaN or infinity"),
        ((new, artists, tmp_path / "out.csv"), "name a file that ends in .npy"),
    ):
        with pytest.raises(InputError, match=message):
            encode_file(fitted, *given)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]
    with pytest.raises(InputError, match="no saved recommender"):
        load_fitted(tmp_path)
    (tmp_path / "fitted.json").write_text('{"class": "Nobody"}')
    with pytest.raises(InputError, match="holds a Nobody, which is unknown"):
        load_fitted(tmp_path)
