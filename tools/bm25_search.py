"""Items by words: BM25 over the documents (Robertson and Zaragoza 2009; the BM25+ form of Lv and Zhai 2011).

rank-bm25 scores catalogs of up to `BM25Config.large` items, bm25s (sparse, memory-mapped, same formula and so the same
ranking) those above.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tools.catalog import Catalog
from tools.scorer import FitData, Mask, Query, Scores, top
from tools.text import tokenize
from tools.tool import Arguments, Tool, ToolResult


class BM25Config(BaseModel):
    """`k1` saturates term frequency, `b` normalises by document length, `large` is where bm25s takes over (items)."""

    model_config = ConfigDict(frozen=True)

    k1: float = 1.5
    b: float = 0.75
    large: int = 20_000


class _Index(Protocol):
    def get_scores(self, query: list[str]) -> NDArray[Any]: ...


class BM25:
    """A Scorer of `Query.text`; NaN for documents that hold none of the words."""

    def __init__(
        self, index: _Index, corpus: list[list[str]], vocabulary: dict[str, int], size: int, config: BM25Config
    ) -> None:
        self._index = index
        self._corpus = corpus  # empty where bm25s keeps its own files
        self._vocabulary = vocabulary  # word -> number of documents with it
        self._size = size
        self._config = config

    @classmethod
    def fit(cls, data: FitData, config: BM25Config) -> "BM25":
        return cls.of_tokens([tokenize(document) for document in data.documents], config)

    @classmethod
    def of_tokens(cls, corpus: list[list[str]], config: BM25Config) -> "BM25":
        """Fit on documents that are already lists of words."""
        vocabulary = Counter(token for tokens in corpus for token in set(tokens))
        if len(corpus) > config.large:
            import bm25s

            index = bm25s.BM25(method="bm25+", k1=config.k1, b=config.b, delta=1.0)
            index.index(corpus, show_progress=False)
        else:
            from rank_bm25 import BM25Plus

            index = BM25Plus(corpus, k1=config.k1, b=config.b, delta=1.0)
        return cls(index, corpus, dict(vocabulary), len(corpus), config)

    def terms(self, text: str) -> list[str]:
        """The words of a text that some document holds, each once, in order."""
        return [token for token in dict.fromkeys(tokenize(text)) if token in self._vocabulary]

    def score(self, query: Query) -> Scores:
        terms = self.terms(query.text)
        if not terms:
            return np.full(self._size, np.nan, dtype=np.float32)
        # BM25+ adds idf * delta for every query term to every document: what is left after it is taken away is zero
        # exactly for the documents that hold none of the terms.
        floor = sum(np.log((self._size + 1) / self._vocabulary[term]) for term in terms)
        scores = np.asarray(self._index.get_scores(terms), dtype=np.float64) - floor
        return np.where(scores > 1e-4, scores, np.nan).astype(np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        state = {"config": self._config.model_dump(), "size": self._size, "vocabulary": self._vocabulary}
        (folder / "bm25.json").write_text(json.dumps(state), encoding="utf-8")
        if self._size > self._config.large:
            self._index.save(folder / "index", show_progress=False)  # type: ignore[attr-defined]
        else:
            (folder / "tokens.txt").write_text("\n".join(" ".join(tokens) for tokens in self._corpus), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "BM25":
        state = json.loads((folder / "bm25.json").read_text(encoding="utf-8"))
        config = BM25Config.model_validate(state["config"])
        if state["size"] > config.large:
            import bm25s

            return cls(bm25s.BM25.load(folder / "index", mmap=True), [], state["vocabulary"], state["size"], config)
        lines = (folder / "tokens.txt").read_text(encoding="utf-8").split("\n")
        return cls.of_tokens([line.split() for line in lines], config)


class SearchArguments(Arguments):
    """What bm25_search and dense_search take."""

    query: str = Field(min_length=1, max_length=300, description="words to look for")
    k: int = Field(default=50, ge=1, le=1000, description="how many items at most")


def run(catalog: Catalog, arguments: SearchArguments, within: Mask | None) -> ToolResult:
    """The k documents that hold the query's words best."""
    scores = catalog.bm25.score(Query(text=arguments.query))
    rows = top(scores, arguments.k, within)
    return ToolResult(rows=rows, scores=scores[rows].astype(np.float64), count=len(rows))


def explain(catalog: Catalog, arguments: SearchArguments, rows: Sequence[int]) -> list[list[str]]:
    """The query's words that stand in each item's document."""
    terms = catalog.bm25.terms(arguments.query)
    held = [set(tokenize(document)) for document in catalog.documents(rows)]
    hits = [[term for term in terms if term in words] for words in held]
    return [[f"words: {', '.join(hit)}"] if hit else [] for hit in hits]


TOOL = Tool(
    name="bm25_search",
    description="Items whose text holds these words: names, places, things, exact phrases.",
    arguments=SearchArguments,
    run=run,
    explain=explain,
)
