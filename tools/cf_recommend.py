"""What people with the same likes liked: EASE (Steck 2019), with fold-in for people it never saw.

EASE solves min ||X - XB||^2 + l||B||^2 with diag(B) = 0, X being people x items: B = I - P / diag(P) with
P = (X'X + lI)^-1. A person x scores xB, which needs only xP and diag(P). Where there are fewer people than items, P
comes from the small side by the Woodbury identity, P = (I - X'(XX' + lI)^-1 X) / l, so that no items x items matrix is
ever made: the same numbers in a fraction of the time and memory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array, load_npz, save_npz

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.scorer import FitData, Mask, Query, Scores, top
from tools.title_lookup import resolve
from tools.tool import Arguments, Tool, ToolResult


class EASEConfig(BaseModel):
    """`l2` is the regularisation, `like_at` the share of the top rating from which a rating is a like.

    `dislike_weight` is what a disliked item counts in a fold-in, against 1 for a liked one. Of more than `most_items`
    items the most liked ones are modelled.
    """

    model_config = ConfigDict(frozen=True)

    l2: float = 100.0
    like_at: float = 0.8
    dislike_weight: float = 0.3
    most_items: int = 20_000


class EASE:
    """A Scorer of `Query.liked`, `disliked` and `user_id`; NaN for items nobody liked and for people without likes."""

    def __init__(
        self,
        likes: csr_array,
        solved: NDArray[np.float32],
        diagonal: NDArray[np.float32],
        items: NDArray[np.int64],
        size: int,
        users: Sequence[str],
        config: EASEConfig,
    ) -> None:
        self._likes = likes  # (people, modelled items), 0 or 1
        self._solved = solved  # dual: (people, items), (XX' + lI)^-1 X; primal: (items, items), P
        self._diagonal = diagonal  # (items,), diag(P)
        self._items = items  # catalog rows of the modelled items
        self._size = size
        self._users = {user: index for index, user in enumerate(users)}
        self._config = config
        self._column = np.full(size, -1, dtype=np.int64)
        self._column[items] = np.arange(len(items))

    @classmethod
    def fit(cls, data: FitData, config: EASEConfig) -> "EASE":
        """Raises ValueError for a catalog without interactions."""
        if data.ratings is None or data.ratings.nnz == 0:
            raise ValueError("EASE needs interactions")
        ratings = data.ratings.tocsr()
        likes = ratings >= config.like_at * ratings.data.max() if np.ptp(ratings.data) else ratings > 0
        liked = np.asarray(likes.sum(axis=0)).ravel()
        items = np.sort(np.argsort(-liked, kind="stable")[: min(config.most_items, int((liked > 0).sum()))])
        x = csr_array(likes[:, items], dtype=np.float32)
        people = x.shape[0]
        if people < len(items):
            gram = (x @ x.T).toarray().astype(np.float64)
            gram[np.diag_indices(people)] += config.l2
            solved = cho_solve(cho_factor(gram, overwrite_a=True), x.toarray().astype(np.float64))
            diagonal = (1.0 - np.asarray(x.multiply(solved).sum(axis=0)).ravel()) / config.l2
        else:
            gram = (x.T @ x).toarray().astype(np.float64)
            gram[np.diag_indices(len(items))] += config.l2
            solved = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(len(items)))
            diagonal = np.diag(solved).copy()
        return cls(
            x, solved.astype(np.float32), diagonal.astype(np.float32), items, data.ratings.shape[1], data.users, config
        )

    def _person(self, query: Query) -> NDArray[np.float32]:
        person = np.zeros(len(self._items), dtype=np.float32)
        if query.user_id is not None and query.user_id in self._users:
            person += self._likes[[self._users[query.user_id]]].toarray().ravel()
        for rows, weight in ((query.liked, 1.0), (query.disliked, -self._config.dislike_weight)):
            columns = self._column[np.asarray(rows, dtype=np.int64)] if len(rows) else np.empty(0, dtype=np.int64)
            person[columns[columns >= 0]] = weight
        return person

    def score(self, query: Query) -> Scores:
        scores = np.full(self._size, np.nan, dtype=np.float32)
        person = self._person(query)
        used = np.flatnonzero(person)
        if not len(used):
            return scores
        if self._solved.shape[0] == len(self._items):
            product = person[used] @ self._solved[used]
        else:
            product = (person - (self._likes[:, used] @ person[used]) @ self._solved) / self._config.l2
        scores[self._items] = person - product / self._diagonal
        return scores

    def knows(self, user_id: str) -> bool:
        """Whether this person was in the interactions it was fitted on."""
        return user_id in self._users

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(self._config.model_dump_json(), encoding="utf-8")
        save_npz(folder / "likes.npz", self._likes)
        for name, array in (("solved", self._solved), ("diagonal", self._diagonal), ("items", self._items)):
            np.save(folder / f"{name}.npy", array)
        np.save(folder / "users.npy", np.array([str(self._size), *self._users], dtype=np.str_))

    @classmethod
    def load(cls, folder: Path) -> "EASE":
        config = EASEConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
        size, *users = np.load(folder / "users.npy").tolist()
        solved = np.load(folder / "solved.npy", mmap_mode="r")
        diagonal, items = np.load(folder / "diagonal.npy"), np.load(folder / "items.npy")
        return cls(csr_array(load_npz(folder / "likes.npz")), solved, diagonal, items, int(size), users, config)


Named = Annotated[str, Field(max_length=200)]


class CFArguments(Arguments):
    """Items are named by id or by title."""

    liked: list[Named] = Field(default=[], max_length=100, description="items liked: ids or titles")
    disliked: list[Named] = Field(default=[], max_length=100, description="items disliked: ids or titles")
    user_id: str | None = Field(default=None, max_length=100, description="a person of the catalog's interactions")
    k: int = Field(default=50, ge=1, le=1000, description="how many items at most")


def query_of(catalog: Catalog, arguments: CFArguments) -> Query:
    """Raises ToolError when an item or the person is unknown, or when nothing is given to go by."""
    if arguments.user_id is not None and not (catalog.cf and catalog.cf.knows(arguments.user_id)):
        raise ToolError(
            f"cf_recommend: user_id {arguments.user_id!r} is not in this catalog's interactions; give liked"
        )
    if not arguments.liked and arguments.user_id is None:
        raise ToolError("cf_recommend: give at least one item in liked, or a user_id")
    return Query(
        liked=[resolve(catalog, item) for item in arguments.liked],
        disliked=[resolve(catalog, item) for item in arguments.disliked],
        user_id=arguments.user_id,
    )


def run(catalog: Catalog, arguments: CFArguments, within: Mask | None) -> ToolResult:
    """The k items this person would like most; the items given are left out."""
    if catalog.cf is None:
        raise ToolError("cf_recommend: this catalog has no interactions; use dense_search or similar_items")
    query = query_of(catalog, arguments)
    scores = catalog.cf.score(query)
    scores[[*query.liked, *query.disliked]] = np.nan
    rows = top(scores, arguments.k, within)
    return ToolResult(rows=rows, scores=scores[rows].astype(np.float64), count=len(rows))


def explain(catalog: Catalog, arguments: CFArguments, rows: Sequence[int]) -> list[list[str]]:
    """The liked items that speak most for each."""
    if catalog.cf is None:
        return [[] for _ in rows]
    speaking = [(catalog.cf.score(Query(liked=[liked])), liked) for liked in query_of(catalog, arguments).liked]
    said = []
    for row in rows:
        shares = [(float(scores[row]), liked) for scores, liked in speaking]
        best = [str(catalog.titles[liked]) for share, liked in sorted(shares, reverse=True)[:2] if share > 0]
        said.append([f"liked by people who liked {' and '.join(best)}"] if best else [])
    return said


TOOL = Tool(
    name="cf_recommend",
    description="What people with the same likes liked. Give the items liked and disliked.",
    arguments=CFArguments,
    run=run,
    explain=explain,
)
