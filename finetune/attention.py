"""Attention over many rows behind one shared prefix, packed into one sequence: prefix, row, row, ...

Every row sees the prefix and itself, as if it stood alone behind the prefix. The prefix's work is done once, and only
the small scores of rows against themselves are padded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME = "shared_prefix"


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a packed sequence stand. `prefix` is its length P; the N others are numbered from 0.

    `padded` (rows, longest) are token numbers, 0 where a row has ended; `row` and `place` (N,) find a token in it.
    """

    prefix: int
    padded: Any
    row: Any
    place: Any

    @property
    def positions(self) -> Any:
        """Position ids (1, P + N): every row goes on from the prefix."""
        import torch

        return torch.cat([torch.arange(self.prefix, device=self.place.device), self.prefix + self.place])[None]


def layout(prefix: int, lengths: Sequence[int], device: str) -> Layout:
    import torch

    padded = torch.zeros((len(lengths), max(lengths)), dtype=torch.long)
    start = 0
    for at, length in enumerate(lengths):
        padded[at, :length] = torch.arange(start, start + length)
        start += length
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    place = torch.cat([torch.arange(length) for length in lengths])
    return Layout(prefix, padded.to(device), row.to(device), place.to(device))


def register() -> str:
    """Make it known to transformers; the name to give as `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, shared_prefix_attention)
    return NAME


def shared_prefix_attention(
    _module: Any, query: Any, key: Any, value: Any, _mask: Any, scaling: float, layout: Layout, **_: Any
) -> tuple[Any, None]:
    """query (1, heads, P + N, d), key and value (1, kv heads, P + N, d) -> (1, P + N, heads, d)."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    size, heads, kv_heads = layout.prefix, query.shape[1], key.shape[1]
    before = scaled_dot_product_attention(
        query[:, :, :size], key[:, :, :size], value[:, :, :size], is_causal=True, scale=scaling, enable_gqa=True
    )[0]
    asked = query[0, :, size:] * scaling  # (heads, N, d)
    count, width = asked.shape[1], layout.padded.shape[1]
    grouped = asked.reshape(kv_heads, -1, asked.shape[-1])  # heads of one kv head stand together
    to_prefix = (grouped @ key[0, :, :size].transpose(1, 2)).view(heads, count, size)
    own_key, own_value = (
        part[0, :, size:][:, layout.padded].repeat_interleave(heads // kv_heads, dim=0) for part in (key, value)
    )
    later = torch.ones((width, width), dtype=torch.bool, device=query.device).triu(1)
    to_own = (asked[:, layout.padded] @ own_key.transpose(2, 3)).masked_fill(later, float("-inf"))
    weights = torch.cat([to_prefix, to_own[:, layout.row, layout.place]], dim=-1).softmax(dim=-1)
    from_prefix = weights[..., :size].reshape(kv_heads, -1, size) @ value[0, :, :size]
    from_own = (weights[..., size:][:, layout.padded] @ own_value)[:, layout.row, layout.place]
    after = from_prefix.view(heads, count, -1) + from_own
    return torch.cat([before, after], dim=1).transpose(0, 1)[None], None
