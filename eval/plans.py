"""Two plans of one message compared by what they do on a catalog, not by how they are written."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.plan import QUERIES, Call, Plan
from tools.catalog import Catalog
from tools.errors import ToolError
from tools.registry import TOOLS, call
from tools.scorer import Mask
from tools.text import fold, tokenize
from tools.title_lookup import resolve
from tools.where import parse_order_by, parse_where

SEARCHES = ("bm25_search", "dense_search")
TITLED = {"cf_recommend": ("liked", "disliked"), "similar_items": ("item_id",), "title_lookup": ("title",)}
ALIKE = 0.5  # F1 of the words of two queries from which they count as the same wish

Share = tuple[float, float]  # of how many it is right, and how many there were; summed over turns they are a mean


@dataclass(frozen=True)
class Case:
    """One turn as it was planned. `wrong` names what is wrong with the plan, `error` why there is none or
    a call failed. `tokens` are those of the prompt and of the plan, None where the engine counts none.
    """

    dialogue: str
    turn: int
    kind: str
    catalog: str
    text: str
    wanted: str
    got: str | None
    error: str
    wrong: tuple[str, ...]
    shares: dict[str, Share]
    ms: float
    tokens: tuple[int, int] | None


@dataclass(frozen=True)
class Said:
    """What a plan's calls say in terms of the catalog.

    `allowed` is what all its filters let through, shape (items,), None when a filter is refused; `conditions` has the
    filters' AND terms in canonical text, each with the columns it is on. `arguments` has for each tool what its calls
    name: conditions and order, the words of queries, the rows of titles, columns.
    """

    allowed: Mask | None
    conditions: dict[str, str]
    order: str
    arguments: dict[str, Counter[str]]

    def selects(self, other: "Said") -> bool:
        """Whether both filter the same items; of two filters that no item meets, the conditions must be the same."""
        if self.allowed is None or other.allowed is None:
            return False
        if not self.allowed.any() and not other.allowed.any():
            return self.conditions.keys() == other.conditions.keys()
        return bool(np.array_equal(self.allowed, other.allowed))


def said(catalog: Catalog, plan: Plan) -> Said:
    """What the plan says; a call that the tools refuse says its own text."""
    allowed: Mask | None = np.ones(len(catalog), dtype=np.bool_)
    conditions: dict[str, str] = {}
    order = ""
    arguments: dict[str, Counter[str]] = {}
    for one in plan.calls:
        named = arguments.setdefault(one.tool, Counter())
        if one.tool != "sql_filter":
            named.update(_named(catalog, one))
            continue
        try:
            matched = call(catalog, one.tool, one.arguments).matched
            terms = _conjuncts(catalog, one)
            order = _order(catalog, one) or order
        except ToolError:
            allowed = None
            named[one.text()] += 1
            continue
        if allowed is not None and matched is not None:
            mask = np.zeros(len(catalog), dtype=np.bool_)
            mask[matched] = True
            allowed &= mask
        conditions |= terms
        named.update([*terms, *([order] if order else [])])
    return Said(allowed, conditions, order, arguments)


def _conjuncts(catalog: Catalog, one: Call) -> dict[str, str]:
    where, manifest = str(one.arguments.get("where", "")), catalog.manifest
    conjuncts = parse_where(where, manifest).conjuncts if where.strip() else ()
    return {conjunct: " or ".join(parse_where(conjunct, manifest).columns) for conjunct in conjuncts}


def _order(catalog: Catalog, one: Call) -> str:
    order = one.arguments.get("order_by")
    return parse_order_by(str(order), catalog.manifest) if order else ""


def _named(catalog: Catalog, one: Call) -> Iterator[str]:
    if one.tool in TITLED:
        for name in TITLED[one.tool]:
            given = one.arguments.get(name) or []
            yield from (
                f"{name} {_row(catalog, str(title))}" for title in ([given] if isinstance(given, str) else given)
            )
    elif one.tool in SEARCHES:
        yield from tokenize(str(one.arguments.get("query", "")))
    elif one.tool in QUERIES:
        yield fold(str(one.arguments.get(QUERIES[one.tool], "")))


def _row(catalog: Catalog, title: str) -> str:
    try:
        return str(resolve(catalog, title))
    except ToolError:
        return fold(title)


def overlap(wanted: Counter[str], got: Counter[str]) -> Share:
    """F1 as a share: twice what both say, of what each says."""
    return 2.0 * (wanted & got).total(), float(wanted.total() + got.total())


def shares(wanted: Plan, got: Plan | None, ours: Said, theirs: Said | None) -> dict[str, Share]:
    """Each measure's share in this turn; a measure that says nothing about it (no filter on either side) is left out.

    `ours` is what `wanted` says and `theirs` what `got` says; both of `got` are None when what came was no plan.
    """
    made = {"parses": _of(got is not None), "act": _of(got is not None and got.act == wanted.act)}
    made["whole plan"] = _of(not differences(wanted, got, ours, theirs))
    counts = (wanted.count, got.count if got is not None else None)
    if any(counts):
        made["count"] = _of(counts[0] == counts[1])
    said_by = theirs.arguments if theirs is not None else {}
    made["tools"] = _of(theirs is not None and set(ours.arguments) == set(said_by))
    if "sql_filter" in ours.arguments or "sql_filter" in said_by:
        kept_order = theirs is not None and (not ours.order or ours.order == theirs.order)
        made["filter"] = _of(theirs is not None and ours.selects(theirs) and kept_order)
    for tool in TOOLS:
        share = overlap(ours.arguments.get(tool, Counter()), said_by.get(tool, Counter()))
        if share[1]:
            made[f"F1 {tool}"] = share
    return made


def _of(right: bool) -> Share:
    return float(right), 1.0


def differences(wanted: Plan, got: Plan | None, ours: Said, theirs: Said | None) -> list[str]:
    """The ways in which a plan is wrong, in the same words for the same kind of mistake; none when it is right.

    Right is: the same act, count and tools, filters that select the same items in the same order, the same titles, and
    queries whose words agree (F1 of 0.5). The wording of a question and the column it counts are left to the planner.
    """
    if got is None or theirs is None:
        return ["no plan"]
    if got.act != wanted.act:
        return [f"{got.act} instead of {wanted.act}"]
    found = [] if got.count == wanted.count else [f"count: {_how(wanted.count, got.count)}"]
    unshared = sorted(set(ours.arguments) ^ set(theirs.arguments))
    found += [f"{tool}: {_how(tool in ours.arguments, tool in theirs.arguments)}" for tool in unshared]
    for tool in sorted(set(ours.arguments) & set(theirs.arguments)):
        pair = ours.arguments[tool], theirs.arguments[tool]
        if tool in TITLED and pair[0] != pair[1]:
            found.append(f"{tool}: other titles")
        if tool in SEARCHES and overlap(*pair)[0] < ALIKE * overlap(*pair)[1]:
            found.append(f"{tool}: another query")
        if tool == "sql_filter":
            found += [] if ours.selects(theirs) else _conditions(ours, theirs)
            found += [] if ours.order == theirs.order else [f"order: {_how(ours.order, theirs.order)}"]
    return found


def _how(wanted: object, got: object) -> str:
    if not got:
        return "left out"
    return "another" if wanted else "not wanted"


def _conditions(ours: Said, theirs: Said) -> list[str]:
    """By column; two filters that select other items differ in at least one."""
    if theirs.allowed is None:
        return ["sql_filter: refused"]
    wanted = {columns for condition, columns in ours.conditions.items() if condition not in theirs.conditions}
    got = {columns for condition, columns in theirs.conditions.items() if condition not in ours.conditions}
    return [f"condition on {columns}: {_how(columns in wanted, columns in got)}" for columns in sorted(wanted | got)]
