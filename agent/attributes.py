"""What items' attributes say of a wish: values that were said or meant, and values shared with the titles named.

An enumerated column's values are a vocabulary; those of free lists (people, keywords) are names. Scores are given for
the rows that are asked about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.catalog import NAMED, Catalog
from tools.mentions import common_words
from tools.scorer import Rows, Scores
from tools.text import tokenize

LONGEST = 4  # words of a value that is looked for in what was said
SHARED = (2, 0.03)  # fewest items, and largest share of them, that hold a value which brings two together


@dataclass(frozen=True)
class Attributes:
    """Of one catalog's items; every score is of shape (rows,)."""

    catalog: Catalog

    def asked(self, rows: Rows, said: str) -> Scores:
        """The share of the vocabulary values in a text that the item has."""
        if not self._vocabulary:
            return np.zeros(len(rows), dtype=np.float32)
        words = set(tokenize(said))
        wanted = np.array([held <= words for held in self._words], dtype=np.float32)
        return np.asarray(self._values[rows] @ wanted / max(float(wanted.sum()), 1.0), dtype=np.float32)

    def leaning(self, rows: Rows, request: NDArray[np.float32]) -> Scores:
        """How near in meaning the item's vocabulary values are to a request's vector; NaN without a vocabulary."""
        if not self._vocabulary:
            return _unknown(rows)
        likeness = self._vectors @ request
        return np.asarray(self._unit_values[rows] @ (likeness - likeness.mean()), dtype=np.float32)

    def kinds(self, rows: Rows, of: Sequence[int]) -> Scores:
        """The cosine of the item's vocabulary values with those of the items `of` together; NaN without any."""
        if not of or not self._vocabulary:
            return _unknown(rows)
        taste = np.asarray(self._values[list(of)].sum(axis=0)).ravel()
        found = self._unit_values[rows] @ taste / max(float(np.linalg.norm(taste)), 1.0)
        return np.asarray(found, dtype=np.float32)

    def names(self, rows: Rows, said: str) -> Scores:
        """The names in a text that the item holds, each with the log of how rare it is. Everyday words name nothing."""
        scores = np.zeros(len(self.catalog), dtype=np.float32)
        words = tokenize(said)
        spans = {" ".join(words[at : at + size]) for size in range(1, LONGEST + 1) for at in range(len(words))}
        for name in (spans & self._named.keys()) - common_words():
            holding = self._named[name]
            scores[holding] += np.log(len(self.catalog) / len(holding))
        return scores[rows]

    def shared(self, rows: Rows, of: Sequence[int]) -> Scores:
        """The sum of the item's cosines with the items `of` over their names, rare ones counting more; NaN without."""
        if not of:
            return _unknown(rows)
        names = self._unit_names
        return np.asarray(names[rows] @ np.asarray(names[list(of)].sum(axis=0)).ravel(), dtype=np.float32)

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
                for row, cell in enumerate(self.catalog.values(column.name)[:NAMED]):
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
    def _words(self) -> list[set[str]]:
        """Of each value of the vocabulary."""
        return [set(tokenize(value)) for value in self._vocabulary]

    @cached_property
    def _unit_values(self) -> csr_array:
        """_values with rows of unit length."""
        lengths = np.sqrt(np.diff(self._values.indptr))
        scaled = self._values.data / np.repeat(lengths, np.diff(self._values.indptr)).astype(np.float32)
        return csr_array((scaled, self._values.indices, self._values.indptr), shape=self._values.shape)

    @cached_property
    def _values(self) -> csr_array:
        """Which values each item has, shape (items, values of the enumerated columns), 1 where it has one."""
        rows, places, first = list[int](), list[int](), 0
        for column in self.catalog.manifest.enumerated():
            place = {value: index for index, value in enumerate(column.values or (), start=first)}
            first += len(place)
            for row, cell in enumerate(self.catalog.values(column.name)):
                held = [place[value] for value in (cell if isinstance(cell, list) else [cell]) if value in place]
                rows += [row] * len(held)
                places += held
        shape = (len(self.catalog), max(first, 1))
        found = csr_array((np.ones(len(rows), dtype=np.float32), (rows, places)), shape=shape)
        found.sum_duplicates()
        found.data[:] = 1.0
        return found


def _unknown(rows: Rows) -> Scores:
    return np.full(len(rows), np.nan, dtype=np.float32)
