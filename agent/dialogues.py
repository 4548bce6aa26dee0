"""What other recorded dialogues led to: a signal that only recorded dialogues can give, and its leakage kept out.

Nothing of a dialogue that is scored, nor of its fold, may be known to whatever scores it. So every question names the
fold and the dialogue that are left out; a conversation that goes on now is in NO_FOLD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from agent.recorded import Turn, fold_of
from agent.signals import Candidates, Matrix, Talk
from tools.catalog import Catalog
from tools.errors import CatalogError
from tools.scorer import Scores

MEMORIES = (
    "suggested",  # log of the dialogues in which the item was suggested
    "came up",  # log of those in which it came up at all
    "together",  # dialogues that share titles with this one and in which it came up
    "alike",  # log share of suggestions after requests near in meaning
    "closest",  # the same, the nearest requests alone
    "kin",  # log share of suggestions to those whose titles are near in meaning to this one's
)
# Of the softmax over the cosine with other turns: how much the nearest count for.
ALIKE, CLOSEST, KIN = 8.0, 20.0, 12.0
FLOOR = 1e-4  # share of suggestions taken for granted of every item
NO_FOLD = -1


@dataclass(frozen=True)
class Memory:
    """Of dialogues (D) with their turns (T) over a catalog's items (N)."""

    dialogues: dict[str, int]
    folds: NDArray[np.int64]  # (D,)
    suggested: csr_array  # (D, N), 1 where an item was suggested
    named: csr_array  # (D, N), 1 where it was suggested or named
    owner: NDArray[np.int64]  # (T,), the dialogue of each turn
    requests: NDArray[np.float32]  # (T, dimensions), unit vectors of what was said
    tastes: NDArray[np.float32]  # (T, dimensions), unit vectors of the titles named, zeros without any
    answers: csr_array  # (T, N), 1 where an item was suggested in the turn

    @classmethod
    def of(
        cls, catalog: Catalog, turns: Sequence[Turn], requests: NDArray[np.float32], tastes: NDArray[np.float32]
    ) -> Self:
        """`requests` and `tastes` are those of each turn's candidates, shape (turns, dimensions)."""
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
            tastes=tastes,
            answers=_incidence(np.arange(len(turns)), gold, (len(turns), len(catalog))),
        )

    def save(self, file: Path, catalog: Catalog) -> None:
        """Items by their ids, so that a catalog that is built again still knows them; no text of anybody."""
        sparse = {"suggested": self.suggested, "named": self.named, "answers": self.answers}
        used = np.unique(np.concatenate([matrix.indices for matrix in sparse.values()]))
        arrays: dict[str, NDArray[Any]] = {
            "dialogues": np.array([*self.dialogues], dtype=np.str_),
            "items": catalog.ids[used].astype(np.str_),
            "owner": self.owner,
            "requests": self.requests.astype(np.float16),
            "tastes": self.tastes.astype(np.float16),
        }
        for name, matrix in sparse.items():
            arrays |= {f"{name} starts": matrix.indptr, f"{name} items": np.searchsorted(used, matrix.indices)}
        np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, file: Path, catalog: Catalog) -> Self:
        """Items that the catalog has no more are left out. Raises CatalogError for a file that is damaged."""
        try:
            with np.load(file) as held:
                arrays = {name: held[name] for name in held.files}
            rows = [catalog.row_of(item_id) for item_id in arrays["items"].tolist()]
            sparse = {
                name: _of_lists(arrays[f"{name} starts"], arrays[f"{name} items"], rows, len(catalog))
                for name in ("suggested", "named", "answers")
            }
            names = arrays["dialogues"].tolist()
            requests, tastes = (arrays[name].astype(np.float32) for name in ("requests", "tastes"))
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise CatalogError(
                f"{file}: cannot be read ({error}); learn it again with: usher finetune fusion, or remove it"
            ) from error
        return cls(
            dialogues={name: place for place, name in enumerate(names)},
            folds=np.array([fold_of(name) for name in names], dtype=np.int64),
            owner=arrays["owner"],
            requests=requests,
            tastes=tastes,
            **sparse,
        )

    def suggestions(self, fold: int) -> Scores:
        """In how many dialogues of other folds than `fold` each item was suggested, shape (items,)."""
        return np.asarray((self.folds != fold).astype(np.float32) @ self.suggested, dtype=np.float32)

    def signals(self, talk: Talk, held: Candidates, fold: int) -> Matrix:
        """MEMORIES for every item, shape (items, MEMORIES), from the dialogues of other folds than `fold`; the talk's
        own dialogue is left out too.
        """
        kept = (self.folds != fold).astype(np.float32)
        if talk.dialogue in self.dialogues:
            kept[self.dialogues[talk.dialogue]] = 0.0
        suggested, named = kept @ self.suggested, kept @ self.named
        rows = talk.wanted
        telling = 1 / np.log(2 + named[rows])  # a title that comes up everywhere says little
        shared = kept * (self._by_item[:, rows] @ telling) / self._lengths if rows else np.zeros_like(kept)
        turns = kept[self.owner]

        def after(likeness: NDArray[np.float32], sharpness: float) -> Scores:
            near = turns * np.exp(sharpness * (likeness - 1.0))
            return np.asarray(np.log(near @ self.answers / max(float(near.sum()), 1e-9) + FLOOR))

        requests = self.requests @ held.request
        columns = [
            np.log1p(suggested),
            np.log1p(named),
            shared @ self.named,
            after(requests, ALIKE),
            after(requests, CLOSEST),
            after(self.tastes @ held.taste, KIN),
        ]
        return np.stack(columns, axis=1).astype(np.float32)

    @cached_property
    def _by_item(self) -> csc_array:
        return self.named.tocsc()

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        """The root of how many items came up in each dialogue, shape (D,)."""
        return np.asarray(np.sqrt(np.maximum(np.asarray(self.named.sum(axis=1)).ravel(), 1.0)))


def _rows(catalog: Catalog, ids: Sequence[str]) -> list[int]:
    return [row for item_id in dict.fromkeys(ids) if (row := catalog.row_of(item_id)) is not None]


def _of_lists(starts: NDArray[np.int64], items: NDArray[np.int64], rows: Sequence[int | None], size: int) -> csr_array:
    """The incidence whose row i holds the items from starts[i] on; `rows` are the catalog's, None for what is gone."""
    lists = [[row for item in items[low:high] if (row := rows[item]) is not None] for low, high in pairwise(starts)]
    return _incidence(np.arange(len(lists)), lists, (len(lists), size))


def _incidence(at: NDArray[np.int64], rows: Sequence[Sequence[int]], shape: tuple[int, int]) -> csr_array:
    """1 in row `at[i]` for every column of `rows[i]`, however often."""
    places = np.repeat(at, [len(held) for held in rows])
    columns = np.array([row for held in rows for row in held], dtype=np.int64)
    found = csr_array((np.ones(len(columns), dtype=np.float32), (places, columns)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found
