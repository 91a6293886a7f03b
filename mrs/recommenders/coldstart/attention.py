"""ACARec's network: a new track attends to its artist's catalogue.

Sizes: B new tracks, K places in a catalogue, c content, d factors, h hidden. Everything is computed
in the order that takes the fewest products. A track has one query, so that the maps after the
self-attention are applied to the B queries and the B mixtures and not to the B K places: with
W_k, W_v of the cross-attention's head, W_o of the self-attention and W_e of the values,

    (W_q q) . (W_k (W_o s_i + b_o) + b_k) = (W_o' W_k' W_q q) . s_i + a constant over i,
    sum_i a_i (W_v (W_e e_i + b_e) + b_v) = W_v W_e (sum_i a_i e_i) + W_v b_e + b_v,

which are the same numbers in exact arithmetic; what is constant over i leaves a softmax as it is.
"""

from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

Fusion = Literal["gru", "glu", "residual"]


class Heads(nn.Module):
    """The parameters of a multi-head attention, as torch.nn.MultiheadAttention has them."""

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * size))
        self.out_proj = nn.Linear(size, size)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)


class ACARecNetwork(nn.Module):
    """Self-attention over the catalogue, cross-attention from the new track, fusion.

    Catalogue place i holds a track's content c_i and its factors e_i, the new track's content is
    c_t, m the mean of the e_i:

        x_i = W_x [c_i; e_i],  x = self-attention(x),  v_i = W_e e_i,  q = W_q c_t,
        y = W_y cross-attention(q, x, v),  z = [y; c_t], or y without `content_input`,
        "gru":       GRUCell(z, m)
        "glu":       (1 - g) m + g u,  u and g = sigmoid(.) linear in [m; z]
        "residual":  W_z z + m,  or y + m without `content_input`.
    """

    def __init__(
        self,
        n_content: int,
        n_factors: int,
        hidden_size: int,
        n_heads: int,
        self_attention: bool,
        fusion: str,
        content_input: bool,
    ) -> None:
        super().__init__()
        self.sizes: dict[str, Any] = {
            "n_content": n_content,
            "n_factors": n_factors,
            "hidden_size": hidden_size,
            "n_heads": n_heads,
            "self_attention": self_attention,
            "fusion": fusion,
            "content_input": content_input,
        }
        self.fusion, self.content_input = fusion, content_input
        self.key = nn.Linear(n_content + n_factors, hidden_size)
        self.value = nn.Linear(n_factors, hidden_size)
        self.query = nn.Linear(n_content, hidden_size)
        self.out = nn.Linear(hidden_size, n_factors)
        self.within = Heads(hidden_size, n_heads) if self_attention else None
        self.across = Heads(hidden_size, n_heads)
        n_update = n_factors + n_content * content_input
        if fusion == "gru":
            self.gru = nn.GRUCell(n_update, n_factors)
        elif fusion == "glu":
            self.glu = nn.Linear(n_factors + n_update, 2 * n_factors)
        elif content_input:
            self.merge = nn.Linear(n_update, n_factors)

    def states(self, keys: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """What the cross-attention compares with, before the self-attention's last map.

        `keys` [A x K x (c + d)] are content beside factors, `there` [A x K] which places hold a
        track. [A x K x h]
        """
        inputs = self.key(keys)
        if self.within is None:
            return inputs
        heads = self.within
        parts = functional.linear(inputs, heads.in_proj_weight, heads.in_proj_bias)
        query, key, value = (
            part.unflatten(-1, (heads.n_heads, -1)).transpose(1, 2)
            for part in parts.chunk(3, dim=-1)
        )
        # An empty catalogue attends to its empty places: no softmax without an entry.
        visible = there | ~there.any(dim=1, keepdim=True)
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible[:, None, None, :]
        )
        return attended.transpose(1, 2).flatten(2)

    @override
    def forward(
        self,
        content: torch.Tensor,
        states: torch.Tensor,
        factors: torch.Tensor,
        there: torch.Tensor,
    ) -> torch.Tensor:
        """Factors of new tracks [B x d].

        `content` [B x c] is theirs; `states` [B x K x h], `factors` [B x K x d] and `there`
        [B x K] are their artists' catalogues', each with a track at least.
        """
        there_too = there.to(factors.dtype).unsqueeze(1)
        mean = (there_too @ factors).squeeze(1) / there_too.sum(dim=2)
        shares = self.shares(content, states, there)
        update = self.out(self.attended(shares, factors))
        if self.content_input:
            update = torch.cat([update, content], dim=1)
        if self.fusion == "gru":
            return self.gru(update, mean)
        if self.fusion == "glu":
            proposed, gate = self.glu(torch.cat([mean, update], dim=1)).chunk(2, dim=1)
            return torch.lerp(mean, proposed, torch.sigmoid(gate))
        return (self.merge(update) if self.content_input else update) + mean

    def shares(
        self, content: torch.Tensor, states: torch.Tensor, there: torch.Tensor
    ) -> torch.Tensor:
        """Attention of each head to each place [B x heads x K], zero where there is no track."""
        heads = self.across
        size = states.shape[2]
        of_query, of_key, _ = heads.in_proj_weight.chunk(3)
        query = functional.linear(self.query(content), of_query, heads.in_proj_bias[:size])
        if self.within is not None:
            of_key = of_key @ self.within.out_proj.weight
        split = query.unflatten(1, (heads.n_heads, -1)).transpose(0, 1)  # heads x B x h / heads
        compared = torch.bmm(split, of_key.unflatten(0, (heads.n_heads, -1)))  # heads x B x h
        scores = compared.transpose(0, 1) @ states.transpose(1, 2) / split.shape[2] ** 0.5
        return scores.masked_fill(~there.unsqueeze(1), -torch.inf).softmax(dim=2)

    def attended(self, shares: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """What the cross-attention gives [B x h] for shares of a catalogue's factors."""
        heads = self.across
        of_value, bias = heads.in_proj_weight.chunk(3)[2], heads.in_proj_bias.chunk(3)[2]
        both = (of_value @ self.value.weight).unflatten(0, (heads.n_heads, -1))
        mixed = (shares @ factors).transpose(0, 1)  # heads x B x d
        values = torch.bmm(mixed, both.transpose(1, 2)).transpose(0, 1).flatten(1)
        return heads.out_proj(values + (of_value @ self.value.bias + bias))
