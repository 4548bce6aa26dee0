"""The candidate pool: filters are hard, searches are soft lists, and an empty pool is relaxed in a fixed order."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.events import Called
from agent.evidence import Ran
from agent.memory import Profile
from agent.plan import Call, Plan
from tools import registry
from tools.catalog import Catalog
from tools.cf_recommend import CFArguments
from tools.errors import ToolError
from tools.scorer import Mask, Rows, Scores, top
from tools.title_lookup import resolve
from tools.where import parse_where

RRF_K = 60  # of reciprocal-rank fusion (Cormack et al. 2009): how slowly a rank's weight falls
PRIOR = 0.25  # weight of the popularity order against a search's list: it decides between near ties
SEARCHES = ("bm25_search", "dense_search")
PERSONAL = 20  # newest likes that fold the person in
DEPTH = 200  # items a list is asked for, whatever the plan's k


@dataclass
class Pool:
    """What the calls of one plan left.

    `allowed` is what every filter lets through; `lists` are the soft lists, best first, of which `searched` are those
    of the searches for words; `order` is the order asked for, if any. `conditions` are the filters' AND terms as
    canonical text; `ran` remembers the calls for the evidence.
    """

    allowed: Mask
    excluded: Mask
    lists: list[Rows] = field(default_factory=list)
    searched: list[Rows] = field(default_factory=list)
    order: Rows | None = None
    ran: list[Ran] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    data: list[dict[str, object]] = field(default_factory=list)
    relaxed: tuple[str, ...] = ()


def excluded_rows(catalog: Catalog, profile: Profile, shown: set[str]) -> Mask:
    """Items a recommendation leaves out: shown in this conversation, liked (they are known) and disliked ones."""
    mask = np.zeros(len(catalog), dtype=np.bool_)
    for item_id in (*shown, *profile.liked, *profile.disliked):
        row = catalog.row_of(item_id)
        if row is not None:
            mask[row] = True
    return mask


def run_calls(catalog: Catalog, plan: Plan, profile: Profile, pool: Pool) -> Iterator[Called]:
    """Run the plan's calls into the pool, filters before searches, one event each; then the person's own taste."""
    filters = [call for call in plan.calls if call.tool == "sql_filter"]
    searches = [call for call in plan.calls if call.tool != "sql_filter"]
    for call in filters:
        yield _run(catalog, call, pool)
    if plan.act == "recommend" and not pool_size(pool):
        relax(catalog, pool)
    for call in searches:
        yield _run(catalog, _with_taste(call, catalog, profile), pool)
    folded = any(isinstance(ran.arguments, CFArguments) for ran in pool.ran)
    if plan.act == "recommend" and catalog.cf is not None and profile.liked and not folded:
        yield _run(catalog, _with_taste(Call(tool="cf_recommend", arguments={}), catalog, profile), pool)


def _with_taste(call: Call, catalog: Catalog, profile: Profile) -> Call:
    """A cf_recommend call with the profile's likes and dislikes added to those the message named."""
    if call.tool != "cf_recommend":
        return call
    merged = dict(call.arguments)
    for name, kept in (("liked", profile.liked), ("disliked", profile.disliked)):
        known = [item for item in kept[-PERSONAL:] if catalog.row_of(item) is not None]
        named = merged.get(name, [])
        merged[name] = [*named, *(item for item in known if item not in named)] if isinstance(named, list) else named
    return Call(tool=call.tool, arguments=merged)


def _run(catalog: Catalog, call: Call, pool: Pool) -> Called:
    started = time.perf_counter()
    try:
        tool = registry.find(call.tool)
        takes_k = "k" in tool.arguments.model_fields
        arguments = tool.parse({**call.arguments, "k": DEPTH} if takes_k else call.arguments)
        result = tool.run(catalog, arguments, pool.allowed & ~pool.excluded if takes_k else None)
    except ToolError as error:
        return Called(call.tool, call.arguments, 0, _since(started), str(error))
    pool.ran.append(Ran(call.tool, arguments))
    if result.data:
        pool.data.append(result.data)
    if result.matched is not None:
        mask = np.zeros(len(catalog), dtype=np.bool_)
        mask[result.matched] = True
        pool.allowed &= mask
        if call.arguments.get("where"):
            pool.conditions += parse_where(call.arguments["where"], catalog.manifest).conjuncts
        if call.arguments.get("order_by") and len(result.matched):
            pool.lists.append(result.matched)
            pool.order = result.matched
    elif len(result.rows):
        pool.lists.append(result.rows)
        if call.tool in SEARCHES:
            pool.searched.append(result.rows)
    return Called(call.tool, call.arguments, result.count, _since(started))


def pool_size(pool: Pool) -> int:
    """How many items may be shown."""
    return int((pool.allowed & ~pool.excluded).sum())


def relax(catalog: Catalog, pool: Pool) -> None:
    """Give up conditions until something is left, and note which.

    The order is fixed: ranges of numbers and dates first, then texts and values, from the last said to the first; each
    alone, then together. What the person does not want (NOT) is never given up.
    """
    wheres = [(condition, parse_where(condition, catalog.manifest)) for condition in pool.conditions]
    kept = [condition for condition, where in wheres if where.refusals]

    def is_range(columns: Sequence[str]) -> bool:
        found = [catalog.manifest.column(column) for column in columns]
        return all(column is not None and column.type in ("integer", "number", "date") for column in found)

    ranges = [condition for condition, where in wheres if is_range(where.columns) and condition not in kept]
    others = [condition for condition, _ in wheres if condition not in kept and condition not in ranges]
    order = [*reversed(ranges), *reversed(others)]
    tries = [[condition] for condition in order] + [order[:n] for n in range(2, len(order) + 1)]
    for dropped in tries:
        rest = [condition for condition in pool.conditions if condition not in dropped]
        allowed = np.ones(len(catalog), dtype=np.bool_)
        if rest:
            where = parse_where(" AND ".join(rest), catalog.manifest)
            allowed[:] = False
            allowed[catalog.select(where.sql, where.parameters)] = True
        if (allowed & ~pool.excluded).any():
            pool.allowed, pool.relaxed = allowed, tuple(dropped)
            return


def reciprocal_ranks(lists: Sequence[Rows], allowed: Mask) -> Scores:
    """The sum of each allowed item's reciprocal ranks in some lists, shape (items,); zero for what none has."""
    scores = np.zeros(len(allowed), dtype=np.float32)
    for rows in lists:
        inside = rows[allowed[rows]]
        scores[inside] += 1.0 / (RRF_K + 1 + np.arange(len(inside), dtype=np.float32))
    return scores


def fuse(pool: Pool, popularity: Scores) -> tuple[Rows, Scores]:
    """Candidates best first by what the plan says alone: reciprocal ranks of the soft lists, popularity between near
    ties. Without a soft list every allowed item is a candidate, in the order of popularity.
    """
    allowed = pool.allowed & ~pool.excluded
    scores = reciprocal_ranks(pool.lists, allowed)
    candidates = np.flatnonzero(scores if pool.lists else allowed)
    by_popularity = candidates[np.lexsort((candidates, -popularity[candidates]))]
    scores[by_popularity] += PRIOR / (RRF_K + 1 + np.arange(len(by_popularity), dtype=np.float32))
    ranked = top(np.where(scores > 0, scores, np.nan), DEPTH)
    return ranked, scores[ranked]


def named_titles(catalog: Catalog, plan: Plan, name: str) -> list[str]:
    """Item ids of the titles the plan's cf_recommend calls give as `liked` or `disliked`; unknown ones are left out."""
    ids = []
    for call in plan.calls:
        for title in call.arguments.get(name, []) if call.tool == "cf_recommend" else []:
            try:
                ids.append(str(catalog.ids[resolve(catalog, title)]))
            except ToolError:  # the call's own trace already says that this title was not found
                continue
    return ids


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
