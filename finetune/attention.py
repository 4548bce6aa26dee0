"""Attention over many rows behind one shared prefix, packed into one sequence: row, row, ...

Every row sees the prefix and itself, as if it stood alone behind the prefix. The prefix is read once, by a pass of its
own that keeps its keys and values; only the small scores of rows against themselves are padded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME = "shared_prefix"


@dataclass(frozen=True)
class Layout:
    """Where the N tokens of the packed rows stand, and what came before all of them.

    `keys` and `values` of the prefix (P tokens), by layer, are of shape (1, kv heads, P, d). `padded` (rows, longest)
    are token numbers, 0 where a row has ended; `row` and `place` (N,) find a token in it.
    """

    keys: Sequence[Any]
    values: Sequence[Any]
    padded: Any
    row: Any
    place: Any

    @property
    def positions(self) -> Any:
        """Position ids (1, N): every row goes on from the prefix."""
        return (self.keys[0].shape[2] + self.place)[None]


def layout(keys: Sequence[Any], values: Sequence[Any], lengths: Sequence[int], device: str) -> Layout:
    """Of rows of these lengths behind the prefix."""
    import torch

    padded = torch.zeros((len(lengths), max(lengths)), dtype=torch.long)
    start = 0
    for at, length in enumerate(lengths):
        padded[at, :length] = torch.arange(start, start + length)
        start += length
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    place = torch.cat([torch.arange(length) for length in lengths])
    return Layout(keys, values, padded.to(device), row.to(device), place.to(device))


def register() -> str:
    """Make it known to transformers; the name to give as `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, shared_prefix_attention)
    return NAME


def shared_prefix_attention(
    module: Any, query: Any, key: Any, value: Any, _mask: Any, scaling: float, layout: Layout | None = None, **_: Any
) -> tuple[Any, None]:
    """query (1, heads, N, d), key and value (1, kv heads, N, d) -> (1, N, heads, d); plain causal without a layout."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if layout is None:
        seen = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=True)
        return seen.transpose(1, 2), None
    heads, kv_heads = query.shape[1], key.shape[1]
    before_key, before_value = layout.keys[module.layer_idx][0], layout.values[module.layer_idx][0]
    size = before_key.shape[1]
    asked = query[0] * scaling  # (heads, N, d)
    count, width = asked.shape[1], layout.padded.shape[1]
    grouped = asked.reshape(kv_heads, -1, asked.shape[-1])  # heads of one kv head stand together
    to_prefix = (grouped @ before_key.transpose(1, 2)).view(heads, count, size)
    own_key, own_value = (
        part[0][:, layout.padded].repeat_interleave(heads // kv_heads, dim=0) for part in (key, value)
    )
    later = torch.ones((width, width), dtype=torch.bool, device=query.device).triu(1)
    to_own = (asked[:, layout.padded] @ own_key.transpose(2, 3)).masked_fill(later, float("-inf"))
    weights = torch.cat([to_prefix, to_own[:, layout.row, layout.place]], dim=-1).softmax(dim=-1)
    from_prefix = (weights[..., :size].reshape(kv_heads, -1, size) @ before_value).view(heads, count, -1)
    from_own = (weights[..., size:][:, layout.padded] @ own_value)[:, layout.row, layout.place]
    return (from_prefix + from_own).transpose(0, 1)[None], None
