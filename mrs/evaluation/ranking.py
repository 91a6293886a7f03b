"""The one ranking routine: the best k candidates of every user, ties and seen tracks exact."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from mrs.errors import InputError

ScoreBlock = Callable[[int, int], np.ndarray | torch.Tensor]

# What one score costs while its block is ranked: the score (4), the caller's own copy (4), and
# where there is a tie at the cut its comparison (1) and its column (4).
BYTES_PER_SCORE = 13
GROUP_SIZE = 16  # columns whose maximum stands for them in a first selection


class FactorScores:
    """Dot products of user factors [U x d] and candidate factors [C x d], float32.

    Calling it gives the scores [stop - start x C] of a block of users. The tensors' device is
    where the scores are computed.
    """

    def __init__(self, users: torch.Tensor, items: torch.Tensor) -> None:
        if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
            raise ValueError(
                f"user factors {tuple(users.shape)} and candidate factors {tuple(items.shape)} "
                "must be matrices of the same width"
            )
        self.users = users.float()
        self.items = items.float()

    def __call__(self, start: int, stop: int) -> torch.Tensor:
        """Scores of the users in rows start to stop, a new tensor."""
        out = torch.empty((stop - start, len(self.items)), device=self.users.device)
        self.write(start, stop, out)
        return out

    def write(self, start: int, stop: int, out: torch.Tensor) -> None:
        """Write the scores of the users in rows start to stop into `out`."""
        users = self.users[start:stop]
        if out.is_cuda:
            torch.mm(users, self.items.T, out=out)
        else:
            # NumPy's OpenBLAS: as fast as PyTorch's MKL on Intel, up to twice as fast on AMD.
            np.matmul(users.numpy(), self.items.numpy().T, out=out.numpy())


def factor_scores(
    users: np.ndarray | torch.Tensor, items: np.ndarray | torch.Tensor
) -> FactorScores:
    """The score function of user factors [U x d] and candidate factors [C x d], for `top_k`.

    Raises ValueError where the two do not fit together.
    """
    return FactorScores(torch.as_tensor(users).detach(), torch.as_tensor(items).detach())


def top_k(
    score_block: ScoreBlock,
    n_users: int,
    n_candidates: int,
    k: int,
    *,
    seen: sp.csr_matrix | None = None,
    block_bytes: int = 256 << 20,
) -> np.ndarray:
    """The columns of each user's k best candidates.

    Parameters
    ----------
    score_block
        `score_block(start, stop)` gives the scores [stop - start x n_candidates] of a block of
        users as an array or a tensor, read as float32 and left as it is; `factor_scores` makes
        one from factors. Where it gives CUDA tensors, the ranking runs there. On the CPU blocks
        are ranked on as many threads as torch is set to use, so it may be called from several.
    seen
        Sparse [n_users x n_candidates]; a stored entry is never listed.
    block_bytes
        Bound on the working memory of all threads. It decides how many users are ranked at a
        time, which does not change the result.

    Returns
    -------
    int32 [n_users x min(k, n_candidates)], best first. Of equal scores the lower column comes
    first, also at the cut: callers put the candidates into the data set's fixed random order, so
    that this order and not the one of the ids breaks ties. A candidate that is seen or has the
    score -inf is not listed; a list shorter than the row ends in -1.

    Raises
    ------
    InputError where k < 1 or a candidate that is not seen has the score NaN.
    ValueError where `seen` or a block has another shape than announced.
    """
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")
    if seen is not None and seen.shape != (n_users, n_candidates):
        raise ValueError(f"seen is {seen.shape}, not {(n_users, n_candidates)}")
    k = min(k, n_candidates)
    lists = np.empty((n_users, k), dtype=np.int32)
    if lists.size == 0:
        return lists
    device = score_block.users.device if isinstance(score_block, FactorScores) else None
    n_threads = torch.get_num_threads() if device is None or device.type == "cpu" else 1
    fitting = block_bytes // (BYTES_PER_SCORE * n_candidates * n_threads)
    n_rows = max(1, min(fitting, -(-n_users // n_threads)))
    own = threading.local()

    def rank_block(start: int) -> None:
        stop = min(start + n_rows, n_users)
        if not hasattr(own, "buffer"):
            own.buffer = torch.empty((n_rows, n_candidates), device=device)
        scores = _fill(score_block, start, stop, own.buffer)
        if seen is not None:
            _mask(scores, seen, start, stop)
        lists[start:stop] = _rank(scores, k, start).cpu().numpy()

    starts = range(0, n_users, n_rows)
    if n_threads == 1:
        for start in starts:
            rank_block(start)
    else:
        _side_by_side(rank_block, starts, n_threads)
    return lists


def _side_by_side(function: Callable[[int], None], calls: Iterable[int], n_threads: int) -> None:
    """Blocks on threads of their own, each single-threaded inside.

    Faster than threads inside of each product and selection, which end in small serial parts.
    """
    try:
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            for _ in pool.map(function, calls):
                pass
    finally:
        torch.set_num_threads(n_threads)  # what the pool's threads set holds for later ones, too


def _fill(score_block: ScoreBlock, start: int, stop: int, buffer: torch.Tensor) -> torch.Tensor:
    """The scores of the users in rows start to stop, in the buffer or where they were made."""
    scores = buffer[: stop - start]
    if isinstance(score_block, FactorScores):
        score_block.write(start, stop, scores)
        return scores
    block = score_block(start, stop)
    if block.shape != scores.shape:
        raise ValueError(
            f"scores of users {start} to {stop} are {tuple(block.shape)}, not {tuple(scores.shape)}"
        )
    if isinstance(block, torch.Tensor):
        return block.to(torch.float32, copy=True)
    np.copyto(scores.numpy(), block, casting="same_kind")
    return scores


def _mask(scores: torch.Tensor, seen: sp.csr_matrix, start: int, stop: int) -> None:
    """Give the score -inf to what the users in rows start to stop have seen."""
    bounds = seen.indptr[start : stop + 1]
    cells = np.repeat(np.arange(stop - start, dtype=np.int64) * scores.shape[1], np.diff(bounds))
    cells += seen.indices[bounds[0] : bounds[-1]]
    scores.view(-1)[torch.from_numpy(cells).to(scores.device)] = -torch.inf


def _rank(scores: torch.Tensor, k: int, start: int) -> torch.Tensor:
    """Top lists [rows x k] of a block of scores whose first user is in row `start`."""
    # One more than requested shows whether a tie runs across the cut.
    values, columns = _best(scores, min(k + 1, scores.shape[1]))
    nan = values[:, 0].isnan()  # topk takes NaN for the largest
    if nan.any():
        row = start + int(nan.nonzero()[0, 0])
        raise InputError(
            f"scores of the user in row {row} are NaN; check the vectors and the fit's settings"
        )
    last = values[:, k - 1]
    cut = torch.zeros_like(nan)
    if values.shape[1] > k:
        cut = (values[:, k] == last) & (last > -torch.inf)
        values, columns = values[:, :k], columns[:, :k]
    columns = columns.to(torch.int32)
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1).nonzero().squeeze(1)
    if len(tied):
        columns[tied] = _lower_column_first(values[tied], columns[tied])
    cut = cut.nonzero().squeeze(1)
    if len(cut):
        columns[cut] = _settle_cut(scores[cut], values[cut], columns[cut])
    return columns.masked_fill_(values == -torch.inf, -1)


def _best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and columns of the k best of each row, equal values in any order.

    In wide rows they are looked for in the k groups of columns with the largest maxima: what is
    outside of these is at most the smallest of k values inside. Half the time of one selection.
    """
    group = scores.shape[1] // GROUP_SIZE  # group j holds every column j + i * group
    if group < 4 * k:
        return torch.topk(scores, k, dim=1)
    grouped = scores[:, : GROUP_SIZE * group].unflatten(1, (GROUP_SIZE, group))
    chosen = torch.topk(grouped.amax(dim=1), k, dim=1, sorted=False).indices
    place = group * torch.arange(GROUP_SIZE, device=scores.device)
    columns = (chosen[:, None, :] + place[:, None]).flatten(1)
    left = torch.arange(GROUP_SIZE * group, scores.shape[1], device=scores.device)
    columns = torch.cat([columns, left.expand(len(scores), -1)], dim=1)
    values, place = torch.topk(scores.gather(1, columns), k, dim=1)
    return values, columns.gather(1, place)


def _lower_column_first(values: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Columns of each list by descending value, equal values by ascending column."""
    columns, order = columns.sort(dim=1)
    values = values.gather(1, order) + 0.0  # -0.0 becomes 0.0, which equals it
    return columns.gather(1, values.sort(dim=1, descending=True, stable=True).indices)


def _settle_cut(scores: torch.Tensor, values: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Lists whose last value is shared by candidates inside and outside of the list.

    What is above that value keeps its place; the places after it go to the lowest columns.
    """
    k = values.shape[1]
    last = values[:, -1:]
    everything = torch.arange(scores.shape[1], dtype=torch.int32, device=scores.device)
    equal = torch.where(scores == last, everything, scores.shape[1])
    lowest = torch.topk(equal, k, dim=1, largest=False).values
    n_above = (values > last).sum(dim=1, keepdim=True)
    place = torch.arange(k, device=scores.device)
    filled = lowest.gather(1, (place - n_above).clamp(min=0))
    return torch.where(place < n_above, columns, filled)
