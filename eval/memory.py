"""What other recorded dialogues led to: a signal that only recorded dialogues can give, and its leakage kept out.

Nothing of a dialogue that is scored, nor of its fold, may be known to whatever scores it. So every question names the
fold and the dialogue that are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agent.recorded import Turn, fold_of
from eval.signals import Matrix, Talk
from tools.catalog import Catalog

MEMORIES = (
    "suggested",  # log of the dialogues in which the item was suggested
    "named",  # log of those in which it came up at all
    "together",  # dialogues that share titles with this one and in which it came up
    "alike",  # log share of suggestions after requests near in meaning
)
SHARPNESS = 8.0  # of the softmax over the cosine of requests: how much the nearest count for
FLOOR = 1e-4  # share of suggestions taken for granted of every item


@dataclass(frozen=True)
class Memory:
    """Of dialogues (D) with their turns (T) over a catalog's items (N)."""

    dialogues: dict[str, int]
    folds: NDArray[np.int64]  # (D,)
    suggested: csr_array  # (D, N), 1 where an item was suggested
    named: csr_array  # (D, N), 1 where it was suggested or named
    owner: NDArray[np.int64]  # (T,), the dialogue of each turn
    requests: NDArray[np.float32]  # (T, dimensions), unit vectors of what was said
    answers: csr_array  # (T, N), 1 where an item was suggested in the turn

    @classmethod
    def of(cls, catalog: Catalog, turns: Sequence[Turn], requests: NDArray[np.float32]) -> Self:
        """`requests` are the unit vectors of what was said by each turn, shape (turns, dimensions)."""
        dialogues = {name: place for place, name in enumerate(dict.fromkeys(turn.dialogue for turn in turns))}
        owner = np.array([dialogues[turn.dialogue] for turn in turns], dtype=np.int64)
        gold = [_rows(catalog, turn.gold) for turn in turns]
        named = [[*_rows(catalog, turn.mentioned), *rows] for turn, rows in zip(turns, gold, strict=True)]
        shape = (len(dialogues), len(catalog))
        return cls(
            dialogues=dialogues,
            folds=np.array([fold_of(name) for name in dialogues], dtype=np.int64),
            suggested=_incidence(owner, gold, shape),
            named=_incidence(owner, named, shape),
            owner=owner,
            requests=requests,
            answers=_incidence(np.arange(len(turns)), gold, (len(turns), len(catalog))),
        )

    def signals(self, talk: Talk, request: NDArray[np.float32], fold: int) -> Matrix:
        """MEMORIES for every item, shape (items, MEMORIES), from the dialogues of other folds than `fold`; this
        dialogue is left out too. `request` is the unit vector of what was said.
        """
        kept = (self.folds != fold).astype(np.float32)
        if talk.dialogue in self.dialogues:
            kept[self.dialogues[talk.dialogue]] = 0.0
        suggested, named = kept @ self.suggested, kept @ self.named
        rows = [stance.row for stance in talk.stances if stance.feeling != "disliked"]
        telling = 1 / np.log(2 + named[rows])  # a title that comes up everywhere says little
        size = np.maximum(np.asarray(self.named.sum(axis=1)).ravel(), 1.0)
        shared = kept * (self.named[:, rows] @ telling) / np.sqrt(size) if rows else np.zeros_like(kept)
        near = kept[self.owner] * np.exp(SHARPNESS * (self.requests @ request - 1.0))
        alike = near @ self.answers / max(float(near.sum()), 1e-9)
        return np.stack(
            [np.log1p(suggested), np.log1p(named), shared @ self.named, np.log(alike + FLOOR)], axis=1
        ).astype(np.float32)


def _rows(catalog: Catalog, ids: Sequence[str]) -> list[int]:
    return [row for item_id in dict.fromkeys(ids) if (row := catalog.row_of(item_id)) is not None]


def _incidence(at: NDArray[np.int64], rows: Sequence[Sequence[int]], shape: tuple[int, int]) -> csr_array:
    """1 in row `at[i]` for every column of `rows[i]`, however often."""
    places = np.repeat(at, [len(held) for held in rows])
    columns = np.array([row for held in rows for row in held], dtype=np.int64)
    found = csr_array((np.ones(len(columns), dtype=np.float32), (places, columns)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found
