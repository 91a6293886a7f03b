"""Time and memory of ACARec at the size of Music4All-Onion, and of placing new tracks.

    python benchmarks/acarec.py [--tracks 55262] [--new 100000] [--threads 2] [--batches 54]

Content, factors and artists are drawn at random: 512 components, factors of BPR with 512 entries
and a bias, artists of 6 tracks or more, so that every catalogue of 5 is full: the dearest case. The
floor is that of the matrix products that an epoch's formulas cannot do without. New tracks go from
a file to a file by `mrs encode` with a saved model, in a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from measure import Line, gemm_rate, peak_mb, report, timed, train_step

from mrs.recommenders.base import History
from mrs.recommenders.coldstart.acarec import ACARec, ACARecModule, FittedACARec
from mrs.recommenders.coldstart.base import HeldOut, Material, arrays_of

CONTENT, FACTORS, HIDDEN = 512, 513, 512


def drawn(n_tracks: int) -> Material:
    """Random tables; artists with 6 tracks at least, a few with hundreds."""
    rng = np.random.default_rng(0)
    sizes = 6 + np.minimum(rng.zipf(2.0, n_tracks // 6), 400)
    artist = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)[:n_tracks])
    content, factors = (
        rng.standard_normal((n_tracks, d), dtype=np.float32) for d in (CONTENT, FACTORS)
    )
    nothing = HeldOut(content[:0], np.empty(0, int), sp.csr_matrix((0, 0)))
    matrix = sp.csr_matrix((1, n_tracks), dtype=np.float32)
    trained = np.arange(n_tracks)
    return Material(content, factors, factors[:1], artist, trained, matrix, nothing, artist[:0])


def epoch_operations(n_tracks: int, n_catalogue: int, batch_size: int) -> float:
    """Of an epoch's matrix products, forwards and back.

    A product costs twice its three sizes; back it takes two more, one where its input is data. A
    track's sides: its catalogue's keys and self-attention, then what is done for it alone.
    """
    c, d, h = CONTENT, FACTORS, HIDDEN
    catalogue = n_catalogue * (2 * (c + d) * h + 3 * h * 3 * h)
    # The query from data; then through the heads; the mixture; its way out; the cell's sides.
    alone = 2 * c * h + 3 * h * h + 3 * h * h + 2 * d * h + 3 * h * h + 3 * h * d
    alone += 3 * 3 * d * (c + d) + 2 * 3 * d * d
    folded = 3 * h * h * h + 3 * h * h * d  # maps multiplied with each other, once a batch
    return 2 * n_tracks * alone + 2 * n_tracks * catalogue + 2 * folded * n_tracks / batch_size


def save_model(module: ACARecModule, folder: Path) -> None:
    """As a fit would, with one listener."""
    material = module.material
    n_tracks, empty = len(material.factors), np.zeros((0, 0), dtype=np.float32)
    FittedACARec(
        history=History(np.array([0]), np.arange(n_tracks), material.matrix),
        converged=None,
        curve=[],
        user_factors=material.users,
        item_factors=material.factors,
        factors=material.factors,
        artist=material.artist,
        artist_ids=np.arange(material.artist.max() + 1),
        mean=np.zeros(CONTENT, dtype=np.float32),
        scale=np.ones(CONTENT, dtype=np.float32),
        rotation=empty,
        content=material.content,
        **vars(module.estimate),
        sizes=module.network.sizes,
        parameters=arrays_of(module.network),
        n_catalogue_inference=250,
        seed=0,
    ).save(folder)


def place_new_tracks(module: ACARecModule, n_new: int) -> None:
    """Files in, the command, a file out."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(module, folder / "model")
        np.save(folder / "new.npy", rng.standard_normal((n_new, CONTENT), dtype=np.float32))
        artists = rng.choice(module.material.artist, n_new)
        lines = "\n".join(["artist_id", *map(str, artists.tolist())])
        (folder / "artists.csv").write_text(lines + "\n", encoding="utf-8")
        code = (
            "import resource, sys; from mrs.cli import app\n"
            "try: app()\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        words = ["encode", "--model", folder / "model", "--vectors", folder / "new.npy"]
        words += ["--artists", folder / "artists.csv", "--out", folder / "out.npy"]
        begin = time.perf_counter()
        command = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        report(
            Line(
                stage=f"ACARec, {n_new:,} new tracks by a saved model ({n_new / seconds:,.0f} a s)",
                seconds=seconds,
                cpu_seconds=float("nan"),
                gflops=0,
                peak_mb=int(done.stdout.split()[-1]) / 1024,
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=55_262)
    parser.add_argument("--new", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, help="time so many; default: a whole epoch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    settings = ACARec(hidden_size=HIDDEN)
    module = ACARecModule(drawn(args.tracks), settings, seed=0)
    optimiser, rate = module.optimiser(), gemm_rate()
    tracks = module.targeted

    def sample() -> None:
        module.catalogues.draw(tracks, settings.n_catalogue, module.generator)

    seconds, cpu = timed(sample, 5)
    stage = f"ACARec, an epoch's catalogues, {len(tracks):,} tracks x {settings.n_catalogue}"
    report(Line(stage, seconds, cpu, rate / 1e9))
    batches = list(module.batches(0))[: args.batches]
    n_tracks = sum(len(batch.tracks) for batch in batches)
    train_step(module, optimiser, batches[0])
    begin, used = time.perf_counter(), time.process_time()
    for batch in batches:
        train_step(module, optimiser, batch)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    operations = epoch_operations(n_tracks, settings.n_catalogue, settings.batch_size)
    stage = f"ACARec epoch, {n_tracks:,} tracks"
    report(Line(stage, seconds, cpu, rate / 1e9, operations / rate, peak_mb()))
    place_new_tracks(module, args.new)


if __name__ == "__main__":
    main()
