"""One collaborative filter fitted and asked in a process of its own: `python cf_rivals.py NAME SETTINGS SPLIT OUT`.

Needs numpy, scipy and the filter's own library, nothing else of this project, so that a library which pins other
versions runs under an interpreter of its own. SPLIT is a saved sparse matrix of likes, people x items; OUT becomes an
.npz with `lists` (people, DEPTH), best first and without what was known, `train_s`, `query_ms`, `peak_mb`, `version`.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, load_npz

DEPTH = 20
QUERIES = 200  # people asked one by one for the time of a query
Scores = NDArray[Any]  # (items,)
Ask = Callable[[int], Scores]  # a person's row -> a score for every item
Fit = Callable[..., Ask]  # (likes, **settings)


def popularity(likes: csr_matrix) -> Ask:
    counts = np.asarray(likes.sum(axis=0), dtype=np.float64).ravel()
    return lambda _: counts


def usher(likes: csr_matrix, l2: float) -> Ask:
    """The CF tool as it is, asked by person."""
    from scipy.sparse import csr_array

    from tools.cf_recommend import EASE, EASEConfig
    from tools.scorer import FitData, Query

    users = [str(row) for row in range(likes.shape[0])]
    model = EASE.fit(FitData((), csr_array(likes), users), EASEConfig(l2=l2))
    return lambda row: model.score(Query(user_id=users[row]))


def implicit_als(likes: csr_matrix, factors: int, alpha: float) -> Ask:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=factors, alpha=alpha, regularization=0.05, random_state=1)
    model.fit(likes.astype(np.float32), show_progress=False)
    return lambda row: np.asarray(model.item_factors @ model.user_factors[row])


def implicit_bm25(likes: csr_matrix, K: int) -> Ask:  # noqa: N803 - implicit's own name
    from implicit.nearest_neighbours import BM25Recommender

    model = BM25Recommender(K=K)
    model.fit(likes.astype(np.float64), show_progress=False)

    def ask(row: int) -> Scores:
        items, found = model.recommend(row, likes[row], N=DEPTH, filter_already_liked_items=True)
        scores = np.full(likes.shape[1], -np.inf)
        scores[items[items >= 0]] = found[items >= 0]
        return scores

    return ask


def _lenskit(likes: csr_matrix, scorer: Any) -> Ask:
    import pandas as pd
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.training import TrainingOptions

    people, items = likes.nonzero()
    data = from_interactions_df(pd.DataFrame({"user_id": people, "item_id": items}))
    scorer.train(data, TrainingOptions())
    every = ItemList(item_ids=np.arange(likes.shape[1]))

    def ask(row: int) -> Scores:
        query = RecQuery(user_id=row, user_items=ItemList(item_ids=likes[row].indices))
        return np.asarray(scorer(query, every).scores())

    return ask


def lenskit_als(likes: csr_matrix, embedding_size: int, weight: float) -> Ask:
    from lenskit.als import ImplicitMFScorer

    return _lenskit(likes, ImplicitMFScorer(embedding_size=embedding_size, weight=weight, epochs=15))


def lenskit_item_knn(likes: csr_matrix, max_nbrs: int) -> Ask:
    from lenskit.knn import ItemKNNScorer

    return _lenskit(likes, ItemKNNScorer(max_nbrs=max_nbrs, feedback="implicit"))


def _recbole(likes: csr_matrix, name: str, settings: dict[str, Any]) -> Ask:
    """RecBole reads its own text format and numbers people and items anew."""
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset
    from recbole.utils import get_model

    people, items = likes.nonzero()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "likes" / "likes.inter"
        file.parent.mkdir()
        rows = "".join(f"{person}\t{item}\n" for person, item in zip(people, items, strict=True))
        file.write_text(f"user_id:token\titem_id:token\n{rows}", encoding="utf-8")
        fixed = {"data_path": folder, "load_col": {"inter": ["user_id", "item_id"]}, "use_gpu": False}
        config = Config(model=name, dataset="likes", config_dict={**fixed, **settings})
        dataset = create_dataset(config)
    model = get_model(name)(config, dataset)
    known = np.unique(items)
    places = dataset.token2id("item_id", [str(item) for item in known])

    def ask(row: int) -> Scores:
        scores = np.full(likes.shape[1], -np.inf)
        if not likes[row].nnz:  # nobody whom RecBole knows
            return scores
        person = torch.tensor([dataset.token2id("user_id", str(row))])
        scores[known] = np.asarray(model.full_sort_predict({"user_id": person})).ravel()[places]
        return scores

    return ask


def recbole_ease(likes: csr_matrix, reg_weight: float) -> Ask:
    return _recbole(likes, "EASE", {"reg_weight": reg_weight})


def recbole_item_knn(likes: csr_matrix, k: int) -> Ask:
    return _recbole(likes, "ItemKNN", {"k": k, "shrink": 0.0})


FITS: dict[str, tuple[str, Fit]] = {  # name -> the library it needs, how it is fitted
    "popularity": ("numpy", popularity),
    "usher EASE": ("numpy", usher),
    "implicit ALS": ("implicit", implicit_als),
    "implicit BM25": ("implicit", implicit_bm25),
    "LensKit ALS": ("lenskit", lenskit_als),
    "LensKit item kNN": ("lenskit", lenskit_item_knn),
    "RecBole EASE": ("recbole", recbole_ease),
    "RecBole item kNN": ("recbole", recbole_item_knn),
}


def best(ask: Ask, likes: csr_matrix, row: int) -> NDArray[np.int64]:
    """A person's DEPTH best items, best first, without those they liked; -1 where the filter knows no more."""
    scores = np.where(np.isfinite(found := np.asarray(ask(row), dtype=np.float64)), found, -np.inf)
    scores[likes[row].indices] = -np.inf
    top = np.argsort(-scores, kind="stable")[:DEPTH]
    return np.where(np.isfinite(scores[top]), top, -1)


def main(name: str, settings: str, split: str, out: str) -> None:
    library, fit = FITS[name]
    held = version(library)  # raises PackageNotFoundError, which the caller reads
    likes = csr_matrix(load_npz(split))
    likes.sort_indices()
    __import__(library)  # so that no import is timed
    started = time.perf_counter()
    ask = fit(likes, **json.loads(settings))
    train = time.perf_counter() - started
    lists = np.stack([best(ask, likes, row) for row in range(likes.shape[0])])
    times = []
    for row in range(min(QUERIES, likes.shape[0])):
        started = time.perf_counter()
        best(ask, likes, row)
        times.append(time.perf_counter() - started)
    np.savez(out, lists=lists, train_s=train, query_ms=1000 * np.median(times), peak_mb=peak_mb(), version=held)


def peak_mb() -> float:
    """Most memory this process ever had. Linux also counts the parent's in ru_maxrss, so its own file is read there."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main(*sys.argv[1:])
