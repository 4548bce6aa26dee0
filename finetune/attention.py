"""Attention over many rows behind one shared prefix: every row sees it and itself, as if it stood alone behind it.

The prefix is read once, by a pass of its own that keeps its keys and values. Rows are padded at their ends, where
causal attention never looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME = "shared_prefix"


@dataclass(frozen=True)
class Prefix:
    """What the layers keep of the P tokens that every row stands behind, and what R rows of L tokens see.

    `keys` and `values`, by layer, are of shape (1, kv heads, P, d); `hidden` (L, P + L) is 0 where a token looks and
    minus infinity where it does not.
    """

    keys: Sequence[Any]
    values: Sequence[Any]
    hidden: Any

    @property
    def positions(self) -> Any:
        """Position ids (1, L): every row goes on from the prefix."""
        import torch

        longest, whole = self.hidden.shape
        return torch.arange(whole - longest, whole, device=self.hidden.device)[None]


def behind(keys: Sequence[Any], values: Sequence[Any], longest: int) -> Prefix:
    """Of rows of at most `longest` tokens."""
    import torch

    size = keys[0].shape[2]
    hidden = torch.full((longest, size + longest), float("-inf"), device=keys[0].device).triu(size + 1)
    return Prefix(keys, values, hidden)


def register() -> str:
    """Make it known to transformers; the name to give as `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, shared_prefix_attention)
    return NAME


def shared_prefix_attention(
    module: Any, query: Any, key: Any, value: Any, _mask: Any, scaling: float, prefix: Prefix | None = None, **_: Any
) -> tuple[Any, None]:
    """query (R, heads, L, d), key and value (R, kv heads, L, d) -> (R, L, heads, d); plain causal without a prefix.

    With one it is written out: on a CPU torch's fused kernel takes three times as long backwards (finetune/LOG.md).
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if prefix is None:
        read = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=True)
        return read.transpose(1, 2), None
    before = (prefix.keys[module.layer_idx], prefix.values[module.layer_idx])
    key, value = (
        torch.cat([one.expand(own.shape[0], -1, -1, -1).to(own.dtype), own], dim=2)
        for one, own in zip(before, (key, value), strict=True)
    )
    rows, heads, longest, width = query.shape
    shared = heads // key.shape[1]  # heads of one kv head, laid end to end
    asked = (query * scaling).reshape(rows, key.shape[1], shared * longest, width)
    hidden = prefix.hidden.to(query.dtype).repeat(shared, 1)
    weights = (asked @ key.transpose(2, 3) + hidden).softmax(dim=-1)
    return (weights @ value).view(rows, heads, longest, width).transpose(1, 2), None
