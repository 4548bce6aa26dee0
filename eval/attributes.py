"""What items' attributes say of a wish: values that were said or meant, and values shared with the titles named.

An enumerated column's values are a vocabulary; those of free lists (people, keywords) are names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.catalog import Catalog
from tools.mentions import common_words
from tools.scorer import Rows, Scores
from tools.text import tokenize

LONGEST = 4  # words of a value that is looked for in what was said
SHARED = (2, 0.03)  # fewest items, and largest share of them, that hold a value which brings two together


@dataclass(frozen=True)
class Attributes:
    """Of one catalog's items; every score is of shape (items,)."""

    catalog: Catalog

    def asked(self, said: str) -> Scores:
        """The share of the vocabulary values in a text that the item has."""
        words = set(tokenize(said))
        wanted = [place for place, value in enumerate(self._vocabulary) if set(tokenize(value)) <= words]
        return np.asarray(self._values[:, wanted].sum(axis=1) / max(len(wanted), 1), dtype=np.float32)

    def leaning(self, request: NDArray[np.float32]) -> Scores:
        """How near in meaning the item's vocabulary values are to a request's vector; NaN without a vocabulary."""
        if not self._vocabulary:
            return self._unknown()
        likeness = self._vectors @ request
        return np.asarray(self._unit_values @ (likeness - likeness.mean()), dtype=np.float32)

    def kinds(self, rows: Sequence[int]) -> Scores:
        """The cosine of the item's vocabulary values with those of some items together; NaN without any."""
        if not rows or not self._vocabulary:
            return self._unknown()
        taste = self._values[list(rows)].sum(axis=0)
        return np.asarray(self._unit_values @ taste / max(float(np.linalg.norm(taste)), 1.0), dtype=np.float32)

    def names(self, said: str) -> Scores:
        """The names in a text that the item holds, each with the log of how rare it is. Everyday words name nothing."""
        scores = np.zeros(len(self.catalog), dtype=np.float32)
        words = tokenize(said)
        spans = {" ".join(words[at : at + size]) for size in range(1, LONGEST + 1) for at in range(len(words))}
        for name in (spans & self._named.keys()) - common_words():
            rows = self._named[name]
            scores[rows] += np.log(len(self.catalog) / len(rows))
        return scores

    def shared(self, rows: Sequence[int]) -> Scores:
        """The sum of the item's cosines with some items over their names, rare ones counting more; NaN without any."""
        if not rows:
            return self._unknown()
        names = self._unit_names
        return np.asarray(names @ np.asarray(names[list(rows)].sum(axis=0)).ravel(), dtype=np.float32)

    def _unknown(self) -> Scores:
        return np.full(len(self.catalog), np.nan, dtype=np.float32)

    @cached_property
    def _named(self) -> dict[str, Rows]:
        """Rows by the values of free lists, as words."""
        held: dict[str, set[int]] = {}
        for row, value in self._cells():
            held.setdefault(" ".join(tokenize(value)), set()).add(row)
        return {name: np.array(sorted(rows)) for name, rows in held.items() if name}

    def _cells(self) -> Iterator[tuple[int, str]]:
        for column in self.catalog.manifest.columns:
            if column.type == "text" and column.is_list and column.values is None and "title" not in column.name:
                for row, cell in enumerate(self.catalog.values(column.name)):
                    yield from ((row, value) for value in cell or ())

    @cached_property
    def _unit_names(self) -> csr_array:
        """Items by names, in rows of unit length: the log of how rare a name is where an item holds it."""
        fewest, share = SHARED
        kept = [rows for rows in self._named.values() if fewest <= len(rows) <= share * len(self.catalog)]
        places = np.concatenate([np.empty(0, dtype=np.int64), *kept])
        columns = np.repeat(np.arange(len(kept)), [len(rows) for rows in kept])
        rarity = np.log(len(self.catalog) / np.maximum([len(rows) for rows in kept], 1))[columns]
        lengths = np.sqrt(np.bincount(places, rarity**2, minlength=len(self.catalog)))
        shape = (len(self.catalog), max(len(kept), 1))
        return csr_array(((rarity / lengths[places]).astype(np.float32), (places, columns)), shape=shape)

    @cached_property
    def _vocabulary(self) -> list[str]:
        """The values of the enumerated columns."""
        return [value for column in self.catalog.manifest.enumerated() for value in column.values or ()]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """Of the vocabulary's meaning, shape (values, dimensions)."""
        return self.catalog.dense.embed(self._vocabulary)

    @cached_property
    def _unit_values(self) -> NDArray[np.float32]:
        """_values with rows of unit length, zeros where an item has none."""
        lengths = np.linalg.norm(self._values, axis=1, keepdims=True)
        return np.asarray(self._values / np.maximum(lengths, 1.0), dtype=np.float32)

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        """Which values each item has, shape (items, values of the enumerated columns)."""
        blocks = []
        for column in self.catalog.manifest.enumerated():
            place = {value: index for index, value in enumerate(column.values or ())}
            block = np.zeros((len(self.catalog), len(place)), dtype=np.float32)
            for row, cell in enumerate(self.catalog.values(column.name)):
                held = cell if isinstance(cell, list) else [cell]
                block[row, [place[value] for value in held if value in place]] = 1.0
            blocks.append(block)
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(self.catalog), 0), dtype=np.float32)
