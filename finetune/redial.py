"""Real people's messages as planner data: ReDial (Li et al. 2018), each labelled with a plan that search found.

Of many plans that what was heard in a message allows, the one counts whose result, run on the catalog, ranks highest
what the other person then suggested. Dialogues of folds 0 to 2 of 5 alone are read (`fold_of`); folds 3 and 4 are left
to evaluation, whole.
"""

import random
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from math import log2
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from agent.memory import Exchange, Session
from agent.plan import Call, Plan
from agent.pool import Pool, excluded_rows, fuse, named_titles, run_calls
from agent.recorded import Turn, exchanges, fold_of, read_texts, read_turn
from finetune.heard import Condition, Heard, Listener
from finetune.lexicon import read_domains, words_for
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.mentions import find_mentions

TRAINING = (0, 1, 2)
WITHIN = 50  # rank of what was suggested, from which a plan is no label
YEAR = re.compile(r"\s*\((?:18|19|20)\d\d\)")


@dataclass(frozen=True)
class Labelled:
    """A message, its session and its plan. `rank` is the suggested item's under the plan, 0 for small talk."""

    id: str
    session: Session
    message: str
    plan: Plan
    rank: int


@dataclass(frozen=True)
class _Wish:
    """What holds so far: conditions and soft calls, in the order said."""

    conditions: tuple[Condition, ...] = ()
    searches: tuple[Call, ...] = ()

    def plan(self) -> Plan | None:
        """None for more than a plan can hold, and for nothing."""
        where = " AND ".join(one.sql for one in self.conditions)
        filters = [Call(tool="sql_filter", arguments={"where": where})] if where else []
        calls = (*filters, *self.searches)
        return Plan(act="recommend", calls=calls) if 0 < len(calls) <= 4 else None

    def size(self) -> int:
        return len(self.conditions) + len(self.searches)


def redial_examples(catalog: Catalog, file: Path, seed: int) -> Iterator[Labelled]:
    """Labelled messages of the training folds' dialogues, in the order of the file. In every other dialogue the years
    that ReDial writes after titles are taken out, as people leave them out.

    Raises UsherError for a catalog nobody has words for, and naming the line that is broken.
    """
    listener = Listener(catalog, words_for(catalog, read_domains().values()))
    chance = random.Random(seed)
    dialogues: dict[str, list[Turn]] = {}
    for turn in read_turns(file):
        if fold_of(turn.dialogue) in TRAINING:
            dialogues.setdefault(turn.dialogue, []).append(turn)
    for dialogue, lines in dialogues.items():
        yield from _label(catalog, listener, dialogue, lines, chance.random() < 0.5)


def read_turns(file: Path) -> Iterator[Turn]:
    """Raises UsherError naming the file and the line that is broken."""
    for number, text in read_texts(file):
        try:
            yield read_turn(text)
        except UsherError as error:
            raise UsherError(f"{file}: line {number}: {error}") from error


def _label(
    catalog: Catalog, listener: Listener, dialogue: str, lines: Sequence[Turn], undated: bool
) -> Iterator[Labelled]:
    """A dialogue from its first message on: what holds is carried from turn to turn, as the agent would."""
    gold = {len(exchanges(line.messages)): line.gold for line in lines}
    turns = exchanges(max(lines, key=lambda line: len(line.messages)).messages)
    session, held = Session(), _Wish()
    for number, (message, reply) in enumerate(turns, start=1):
        text = " ".join(unquote(YEAR.sub("", message) if undated else message).split())
        heard = listener.hear(text)
        plan: Plan | None = None
        if heard.chat:
            plan = Plan(act="chat")
            yield Labelled(f"{dialogue}-{number}", deepcopy(session), text, plan, 0)
        elif text:
            wish = whole(held, heard)  # without a suggestion to go by, what was heard counts
            rows = [row for item in gold.get(number, ()) if (row := catalog.row_of(item)) is not None]
            best = search(catalog, session, held, heard, rows) if rows else None
            if best is not None and (plan := best[1].plan()) is not None:
                wish = best[1]
                yield Labelled(f"{dialogue}-{number}", deepcopy(session), text, plan, best[0])
            held, plan = wish, wish.plan()
        shown = dict.fromkeys(str(catalog.ids[mention.row]) for mention in find_mentions(catalog, reply))
        named = [[] if plan is None else named_titles(catalog, plan, name) for name in ("liked", "disliked")]
        session.remember(Exchange(user=text, reply=reply, plan=plan, items=tuple(shown)), *named)


def search(
    catalog: Catalog, session: Session, held: _Wish, heard: Heard, gold: Sequence[int]
) -> tuple[int, _Wish] | None:
    """The rank of the best of `gold` (catalog rows) and the wish that ranks it so; None where no plan is better than
    popularity by half, or has one of them among the first 50.

    Ranks within a factor of two are a tie, or the search would fit noise: then the wish counts that leaves out least of
    what was said, then the shortest, then the better rank.
    """
    excluded = excluded_rows(catalog, session.profile, session.shown)
    popular = 1 + min(int((~excluded[:row]).sum()) for row in gold)  # rows stand in the order of popularity
    best: tuple[tuple[int, int, int, int], int, _Wish] | None = None
    for wish, plan, covered in candidates(held, heard):
        pool = Pool(np.ones(len(catalog), dtype=np.bool_), excluded.copy())
        called = list(run_calls(catalog, plan, session.profile, pool))
        if pool.relaxed or any(call.error for call in called):
            continue
        ranked = fuse(pool, catalog.popularity)[0][:WITHIN].tolist()
        rank = min((ranked.index(row) + 1 for row in gold if row in ranked), default=WITHIN + 1)
        if rank > WITHIN or 2 * rank > popular:
            continue
        key = (int(log2(rank)), -covered, wish.size(), rank)
        if best is None or key < best[0]:
            best = (key, rank, wish)
    return None if best is None else best[1:]


def candidates(held: _Wish, heard: Heard) -> Iterator[tuple[_Wish, Plan, int]]:
    """Wishes that a message allows with their plans, each once, and how many of the things said they cover."""
    conditions = list(dict.fromkeys([heard.conditions, *((one,) for one in heard.conditions[:3]), ()]))
    titles = _title_calls(heard)
    queries = [*(Call(tool="dense_search", arguments={"query": text}) for text in heard.themes[:2]),
               *(Call(tool="bm25_search", arguments={"query": text}) for text in heard.names[:1])]  # fmt: skip
    searches = [*((call,) for call in queries), ()]
    seen: set[str] = set()
    for keep, asked, named, sought in product((True, False), conditions, (titles, ()) if titles else ((),), searches):
        if not (asked or named or sought or (keep and heard.more)) or (keep and not held.size()):
            continue
        wish = _joined(held if keep else _Wish(), asked, (*named, *sought))
        plan = wish.plan()
        if plan is not None and plan.text() not in seen:
            seen.add(plan.text())
            yield wish, plan, len(asked) + 2 * len(named) + keep


def whole(held: _Wish, heard: Heard) -> _Wish:
    """What holds after a message, all of it."""
    return _joined(held, heard.conditions, _title_calls(heard))


def _joined(held: _Wish, conditions: Sequence[Condition], searches: Sequence[Call]) -> _Wish:
    """What is new replaces conditions of its columns and searches of its tool; titles add up."""
    columns = {one.column for one in conditions}
    kept = [one for one in held.conditions if one.column not in columns]
    old = {call.tool: call for call in held.searches}
    new = [_with_titles(old.get(call.tool), call) for call in searches]
    tools = {call.tool for call in new}
    return _Wish((*kept, *conditions), (*(call for call in held.searches if call.tool not in tools), *new))


def _with_titles(old: Call | None, new: Call) -> Call:
    if old is None or new.tool != "cf_recommend":
        return new
    merged = {
        name: list(dict.fromkeys([*old.arguments.get(name, []), *new.arguments.get(name, [])]))
        for name in ("liked", "disliked")
    }
    return Call(tool=new.tool, arguments={name: titles for name, titles in merged.items() if titles})


def _title_calls(heard: Heard) -> tuple[Call, ...]:
    """One title to be like is similar_items; liked ones, or several, are cf_recommend."""
    liked = [*heard.liked, *heard.alike]
    if not liked:
        return ()
    if len(liked) == 1 and heard.alike and not heard.disliked:
        return (Call(tool="similar_items", arguments={"item_id": liked[0]}),)
    named = {"liked": liked, "disliked": list(heard.disliked)}
    return (Call(tool="cf_recommend", arguments={name: titles for name, titles in named.items() if titles}),)
