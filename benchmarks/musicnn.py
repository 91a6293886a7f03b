"""MusiCNN: a patch of 3 s by batch size and threads, and a clip of 30 s from file to vector.

    python benchmarks/musicnn.py [--batches 1,2,4,8,16] [--threads 1,2]

With TensorFlow the published package took 2.0 s for the clip on one core (its best): 200 ms a patch
and more.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from measure import Line, gemm_rate, peak_mb, report, timed
from threadpoolctl import threadpool_limits

from mrs.backends import make_backend
from mrs.backends.audio import decode
from mrs.backends.networks.musicnn import N_MELS, PATCH, STRIDE, Network
from mrs.backends.weights import load_model

REPEATS = 7
PUBLISHED = 2.0  # s, a clip of 30 s


def operations(network: Network) -> int:
    """Floating-point operations of a patch: those of its matrix products."""
    total = 2 * sum(part.numel() for part in network.dense[:1])
    for filters in network.timbral:
        n_bands = len(filters.kernel) // 7
        total += 2 * PATCH * (N_MELS - n_bands + 1) * filters.kernel.numel()
    for filters in network.temporal:
        n_taps = len(filters.kernel) - STRIDE + 1
        total += 2 * PATCH * N_MELS * n_taps * len(filters.bias)
    return total + sum(2 * PATCH * kernel.numel() for kernel, *_ in network.residual)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", default="1,2,4,8,16")
    parser.add_argument("--threads", default="1,2")
    args = parser.parse_args()
    backend = make_backend("musicnn")
    model = load_model(backend)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "clip.wav")
        soundfile.write(path, rng.normal(0, 0.1, (44_100 * 30, 2)), 44_100)
        for threads in map(int, args.threads.split(",")):
            torch.set_num_threads(threads)
            with threadpool_limits(threads), torch.inference_mode():
                rate = gemm_rate()
                floor = operations(model.network) / rate
                for batch in map(int, args.batches.split(",")):
                    patches = torch.from_numpy(rng.random((batch, PATCH, N_MELS), np.float32))
                    seconds, cpu = timed(lambda x=patches: model.network(x), REPEATS)
                    report(
                        Line(
                            stage=f"MusiCNN, a patch, batches of {batch}, {threads} threads",
                            seconds=seconds / batch,
                            cpu_seconds=cpu / batch,
                            gflops=rate / 1e9,
                            floor=floor,
                        )
                    )
                seconds, cpu = timed(lambda: model.embed(decode(path, backend.sample_rate)), 3)
                report(
                    Line(
                        stage=f"MusiCNN, 30 s of 44.1 kHz stereo to a vector, {threads} threads",
                        seconds=seconds,
                        cpu_seconds=cpu,
                        gflops=rate / 1e9,
                        floor=10 * floor,
                        peak_mb=peak_mb(),
                        published=PUBLISHED if threads == 1 else None,
                    )
                )


if __name__ == "__main__":
    main()
