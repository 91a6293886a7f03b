"""A bidirectional transformer over histories, and its losses over a table of tracks.

Every layer is computed exactly; the last one at the wanted positions alone, and the softmax over
all tracks in blocks of rows whose size bounds memory.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

BLOCK_BYTES = 32 << 20  # logits held at a time at most
BLOCK_ROWS = 128  # rows at a time at most: on few tracks their logits stay in the processor's cache
TILE = 4096  # columns of a product of few rows, which is up to twice as slow over a wide table


class Encoder(nn.Module):
    """Pre-norm transformer encoder with learned positions, counted from the newest play.

    Dropout acts on the embedded history and on what each sublayer adds, not on the attention
    weights.
    """

    def __init__(
        self,
        embedding_size: int,
        *,
        max_length: int,
        n_layers: int,
        n_heads: int,
        feedforward_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(max_length, embedding_size))
        self.mask = nn.Parameter(0.1 * torch.randn(embedding_size))
        self.norm_in = nn.LayerNorm(embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            _Layer(embedding_size, n_heads, feedforward_size, dropout) for _ in range(n_layers)
        )
        self.norm_out = nn.LayerNorm(embedding_size)
        self.projection_out: nn.Module = nn.Linear(embedding_size, embedding_size)

    @override
    def forward(
        self,
        history: torch.Tensor,
        *,
        padding: torch.Tensor,
        masked: torch.Tensor,
        wanted: torch.Tensor,
    ) -> torch.Tensor:
        """Encode histories, oldest play first and padded on the left.

        `history` [B x L x d] are the tracks' vectors, anything where `padding` or `masked`
        (bool [B x L]); `wanted` [B x M] the positions to encode. Returns [B x M x d].
        """
        state = torch.where(masked.unsqueeze(-1), self.mask, history)
        state = self.dropout(self.norm_in(state + self.positions[-history.shape[1] :]))
        visible = ~padding[:, None, None, :]
        at = wanted.unsqueeze(-1).expand(-1, -1, state.shape[-1])
        for layer in self.layers[:-1]:
            state = layer(state, visible)
        state = self.layers[-1](state, visible, at)
        return self.projection_out(self.norm_out(state))


class _Layer(nn.Module):
    """Self-attention and a feed-forward network, each on normalised input, each added on top."""

    def __init__(self, size: int, n_heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key_value = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.attended = nn.Linear(size, size)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward_size), nn.GELU(), nn.Linear(feedforward_size, size)
        )
        self.dropout = nn.Dropout(dropout)

    @override
    def forward(
        self, state: torch.Tensor, visible: torch.Tensor, at: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The state [B x L x d] after the layer, at all positions or at some of them.

        `visible` are the positions that may be attended to; `at` [B x M x d] the wanted ones.
        """
        normal = self.norm_attention(state)
        key, value = self.key_value(normal).chunk(2, dim=-1)
        if at is not None:
            state, normal = state.gather(1, at), normal.gather(1, at)
        attended = functional.scaled_dot_product_attention(
            self._heads(self.query(normal)),
            self._heads(key),
            self._heads(value),
            attn_mask=visible,
        )
        state = state + self.dropout(self.attended(attended.transpose(1, 2).flatten(2)))
        return state + self.dropout(self.feedforward(self.norm_feedforward(state)))

    def _heads(self, rows: torch.Tensor) -> torch.Tensor:
        """[B x L x d] as [B x heads x L x d / heads]."""
        return rows.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


def softmax_loss(
    vectors: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, block: int | None = None
) -> torch.Tensor:
    """Mean cross entropy of vectors [n x d] over all items [N x d], targets [n].

    `block` rows at a time; None means `BLOCK_ROWS`, or fewer where `BLOCK_BYTES` of logits allow
    no more.
    """
    block = block or max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * len(items))))
    return _BlockedCrossEntropy.apply(vectors, items, targets, block)


class _BlockedCrossEntropy(torch.autograd.Function):
    """Takes the gradients in the same sweep as the loss, so that no logits are kept or remade."""

    @staticmethod
    def forward(
        ctx: Any, vectors: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, block: int
    ) -> torch.Tensor:
        total = vectors.new_zeros(())
        of_vectors, of_items = torch.empty_like(vectors), torch.zeros_like(items)
        space = vectors.new_empty((min(block, len(vectors)), len(items)))
        for start in range(0, len(vectors), block):
            part, target = vectors[start : start + block], targets[start : start + block, None]
            logits = space[: len(part)]
            for tile, columns in zip(items.split(TILE), logits.split(TILE, dim=1), strict=True):
                torch.mm(part, tile.T, out=columns)
            largest, wanted = logits.amax(dim=1, keepdim=True), logits.gather(1, target)
            shares = torch.softmax(logits, dim=1, out=logits)
            # The log of the normaliser, from each row's largest logit and its share.
            normaliser = largest - shares.amax(dim=1, keepdim=True).log()
            total += (normaliser - wanted).sum()
            slope = shares.scatter_add_(1, target, shares.new_full(target.shape, -1.0))
            torch.mm(slope, items, out=of_vectors[start : start + block])
            of_items.addmm_(slope.T, part)
        ctx.save_for_backward(of_vectors / len(vectors), of_items / len(vectors))
        return total / len(vectors)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_vectors, of_items = ctx.saved_tensors
        return slopes[0] * of_vectors, slopes[0] * of_items, None, None


def sampled_softmax_loss(
    vectors: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor
) -> torch.Tensor:
    """The same with a sample of the items in the softmax, shared by all rows.

    `drawn` [k] are distinct items drawn uniformly. Each row's negatives are those that are not
    its target; their share of the normaliser is scaled from k to all N - 1 (Jean et al., 2015,
    section 3.2), so that with every item drawn the loss is that of the full softmax.
    """
    positive = (vectors * functional.embedding(targets, items)).sum(dim=1, keepdim=True)
    hit = targets[:, None] == drawn
    n_negatives = (len(drawn) - hit.sum(dim=1, keepdim=True)).clamp_min(1)
    negative = vectors @ functional.embedding(drawn, items).T
    negative = negative + torch.log((len(items) - 1) / n_negatives)
    logits = torch.cat([positive, negative.masked_fill(hit, -torch.inf)], dim=1)
    return (logits.logsumexp(dim=1, keepdim=True) - positive).mean()
