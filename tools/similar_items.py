"""Neighbours of one item, by people's likes and by text, fused by reciprocal rank (Cormack et al. 2009)."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from tools.catalog import Catalog
from tools.scorer import Mask, Query, Scores, top
from tools.title_lookup import resolve
from tools.tool import Arguments, Tool, ToolResult

RRF_K = 60  # the paper's constant: how slowly a rank's weight falls
DEPTH = 200  # neighbours taken from each signal


class SimilarArguments(Arguments):
    """`item_id` may be a title too."""

    item_id: str = Field(min_length=1, max_length=200, description="the item: id or title")
    k: int = Field(default=50, ge=1, le=1000, description="how many items at most")


def signals(catalog: Catalog, row: int) -> dict[str, Scores]:
    """Scores of every item by each signal that knows the item; the item itself is NaN."""
    scores = {"text": catalog.dense.neighbours(row)}
    if catalog.cf is not None:
        likes = catalog.cf.score(Query(liked=[row]))
        likes[row] = np.nan
        scores["people"] = np.where(likes > 0, likes, np.nan)
    return scores


def run(catalog: Catalog, arguments: SimilarArguments, within: Mask | None) -> ToolResult:
    """The k nearest items; `data["signals"]` says for each of them which signals named it."""
    row = resolve(catalog, arguments.item_id)
    fused = np.zeros(len(catalog), dtype=np.float64)
    named: dict[int, list[str]] = {}
    for signal, scores in signals(catalog, row).items():
        for rank, neighbour in enumerate(top(scores, DEPTH, within), start=1):
            fused[neighbour] += 1.0 / (RRF_K + rank)
            named.setdefault(int(neighbour), []).append(signal)
    rows = top(np.where(fused > 0, fused, np.nan).astype(np.float32), arguments.k)
    said = {str(catalog.ids[neighbour]): named[int(neighbour)] for neighbour in rows}
    return ToolResult(rows=rows, scores=fused[rows], count=len(rows), data={"signals": said})


def explain(catalog: Catalog, arguments: SimilarArguments, rows: Sequence[int]) -> list[list[str]]:
    """Which signal says that the two are near."""
    source = resolve(catalog, arguments.item_id)
    title = catalog.titles[source]
    words = {"people": f"liked by people who liked {title}", "text": f"described like {title}"}
    near = {name: set(top(scores, DEPTH).tolist()) for name, scores in signals(catalog, source).items()}
    return [[words[name] for name, held in near.items() if row in held] for row in rows]


TOOL = Tool(
    name="similar_items",
    description="Neighbours of one item: more like this.",
    arguments=SimilarArguments,
    run=run,
    explain=explain,
)
