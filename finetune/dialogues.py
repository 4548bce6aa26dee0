"""Dialogues composed over a world, each turn with the plan CONVENTIONS.md calls right and whose filter was run."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from agent.context import RECALLED, PlannerContext, Span, found_in, spans
from agent.plan import Call, Plan
from finetune.noise import noisy
from finetune.phrases import Piece, any_piece, piece, refusal, superlative
from finetune.sentences import Sentences
from finetune.wish import Draft, Turn, Wish, as_written, joined, title_calls
from finetune.worlds import World
from tools.mentions import find_mentions
from tools.quantities import plain
from tools.scorer import Rows
from tools.text import fold

SHOWN = 5  # items a turn shows


class Dialogue:
    """One person's dialogue; `turns` composes it. Draws that say nothing or find nothing are drawn again."""

    def __init__(self, world: World, frames: dict[str, Any], chance: random.Random) -> None:
        self.world, self.frames, self.chance = world, frames, chance
        self.words = Sentences(world, frames, chance)
        self.wish = Wish()
        self.last_plan: Plan | None = None
        self.last_rows: list[int] = []
        self.liked: list[str] = []
        self.disliked: list[str] = []
        if chance.random() < 0.25:
            self.liked = list({world.titles[self._row()]: None for _ in range(chance.randint(1, 6))})
            self.disliked = [world.titles[self._row()] for _ in range(chance.choice([0, 0, 1, 2]))]

    def turns(self, most: int) -> Iterator[Turn]:
        for number in range(most):
            for _ in range(30):
                draft = self._first() if number == 0 or not self.last_plan else self._next()
                turn = draft and self._finish(draft)
                if turn:
                    yield turn
                    break
            else:
                return

    def _row(self) -> int:
        """An item, the popular ones more often."""
        return int(len(self.world.titles) * self.chance.random() ** 4)

    def _first(self) -> Draft | None:
        return self._one_of(
            (64, self._request), (14, self._alike), (6, self._best),
            (6, self._wide), (7, self._chat), (3, self._about_title),
        )  # fmt: skip

    def _next(self) -> Draft | None:
        if self.last_plan is not None and self.last_plan.act == "ask" and self.chance.random() < 0.3:
            return Draft("whatever", self.words.say("whatever"), self.wish)
        return self._one_of(
            (22, self._refine), (14, self._refuse), (14, self._compare), (9, self._more), (9, self._anew),
            (8, self._drop), (6, self._release), (5, self._also), (6, self._instead), (7, self._swap),
            (5, self._count), (2, self._best), (6, self._theme), (5, self._alike), (4, self._dislike),
            (8, self._about_items), (2, self._about_title), (5, self._chat),
        )  # fmt: skip

    def _one_of(self, *kinds: tuple[float, Callable[[], Draft | None]]) -> Draft | None:
        return self.chance.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]()

    def _request(self, key: str = "request", before: Wish | None = None) -> Draft | None:
        kept: list[str] = []
        tails, calls = self.words.tails(kept) if self.chance.random() < 0.2 else ([], [])
        count = None
        if key == "request" and self.chance.random() < 0.09:
            count = self.chance.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 10])
            key = "count_request"
        most = self.chance.choice([1, 2, 2, 2, 2, 3])
        pieces = self.words.pieces(0 if tails else most, most)
        if not pieces and not tails:
            return None
        frame = self.words.say(key, **({"n": self.words.digits(count)} if count else {}))
        text, pieces = self.words.wished(frame, pieces, tails)
        wish = replace((before or Wish()).plus(*pieces), searches=tuple(calls))
        return Draft(key, text, wish, count=count, kept=[*kept, *(one.kept for one in pieces)])

    def _anew(self) -> Draft | None:
        return self._request("replace")

    def _alike(self) -> Draft | None:
        people = self.world.manifest.interactions > 0
        draw = self.chance.random()
        rows = [self._row() for _ in range(1 if draw < 0.5 else self.chance.choice([2, 2, 3]))]
        names = [self.world.titles[row] for row in rows]
        if len(set(map(fold, names))) < len(names):
            return None
        disliked: list[int] = []
        tool = "cf_recommend" if people else "similar_items"
        if len(rows) == 1 and self.chance.random() < 0.3:
            text = self.words.say("loved_one", t=names[0])
        elif len(rows) == 1:
            text, tool = self.words.say("like_one", t=names[0]), "similar_items"
        else:
            ts = ", ".join(names[:-1]) + self.chance.choice([" and ", " & ", ", ", " and "]) + names[-1]
            if draw > 0.88:
                disliked = [self._row()]
                text = self.words.say("like_dislike", ts=ts, t=self.world.titles[disliked[0]])
                if disliked[0] in rows:
                    return None
            else:
                text = self.words.say("like_many", ts=ts)
        wish = replace(self.wish, searches=())
        pieces: list[Piece] = []
        if self.chance.random() < 0.3:
            pieces = self.words.pieces(1, 2, wish.columns)
            if pieces and self.chance.random() < 0.5:
                said, pieces = self.words.wished(self.words.say("request"), pieces, [])
                text = f"{text.rstrip('.?! ')}{self.chance.choice(['. ', ', ', '; '])}{said}"
            else:
                pieces = [one for one in pieces if one.form in ("adj", "post", "refusal")][:1]
                if pieces:
                    joined = {"adj": "but {}", "post": "but {}", "refusal": "{}"}[pieces[0].form].format(pieces[0].text)
                    text = f"{text.rstrip('.?! ')}{self.chance.choice([' ', ', '])}{joined}"
        return Draft(
            "liked",
            text,
            wish.plus(*pieces),
            kept=[one.kept for one in pieces],
            liked=rows,
            disliked=disliked,
            tool=tool,
        )

    def _dislike(self) -> Draft | None:
        if self.world.manifest.interactions == 0:
            return None
        row = self._row() if self.chance.random() < 0.5 or not self.last_rows else self.chance.choice(self.last_rows)
        text = self.words.say("dislike", t=self.world.titles[row])
        return Draft("disliked", text, self.wish, disliked=[row], tool="cf_recommend")

    def _best(self) -> Draft | None:
        found = superlative(self.world, self.chance)
        if found is None:
            return None
        word, order = found
        pieces = [] if self.last_plan else self.words.pieces(0, 1)
        frame = self.words.say("superlative", w=word)
        if "{np" in frame or "{bare" in frame:
            pieces = [one for one in pieces if not one.order_by]
            text, pieces = self.words.wished(frame, pieces, [])
        else:
            text, pieces = frame, []
        base = self.wish if self.last_plan else Wish()
        return Draft(
            "superlative", text, replace(base.plus(*pieces), order_by=order), kept=[one.kept for one in pieces]
        )

    def _wide(self) -> Draft | None:
        column = self.world.splitting
        if column is None or column.name not in self.world.words:
            return None
        said = self.chance.choice(self.world.words[column.name].said or [column.name.replace("_", " ")])
        question = self.words.say("ask", said=said)
        call = Call(tool="facet_counts", arguments={"column": column.name})
        return Draft("wide", self.words.say("wide"), Wish(), Plan(act="ask", calls=(call,), question=question))

    def _chat(self) -> Draft | None:
        return Draft("chat", self.words.say("chat"), self.wish, Plan(act="chat"))

    def _about_title(self) -> Draft | None:
        row = self._row()
        return Draft(
            "title",
            self.words.say("ask_title", t=self.world.titles[row]),
            self.wish,
            liked=[row],
            tool="title_lookup",
        )

    def _about_items(self) -> Draft | None:
        if not self.last_rows:
            return None
        words = self.world.words[self.chance.choice(list(self.world.words))]
        said = self.chance.choice(words.said or [words.name.replace("_", " ")])
        return Draft("items", self.words.say("ask_items", said=said), self.wish, Plan(act="answer"))

    def _more(self) -> Draft | None:
        return Draft("seen", self.words.say("seen"), self.wish) if self.last_rows else None

    def _count(self) -> Draft | None:
        count = self.chance.choice([1, 1, 2, 2, 3, 3, 4, 5, 10])
        return Draft("count", self.words.say("count_refine", n=self.words.digits(count)), self.wish, count=count)

    def _refine(self) -> Draft | None:
        """One more condition; on a column of single values or numbers it takes the place of the one there."""
        lists = {column.name for column in self.world.manifest.columns if column.is_list}
        part = any_piece(self.world, self.chance, frozenset(self.wish.columns & lists))
        if part is None:
            return None
        wish = self.wish
        for column in part.columns:
            wish = wish.without(column)
        key = {"adj": "refine_adj", "post": "refine_post", "noun": "refine_noun"}[part.form]
        return Draft("refine", self.words.about(key, part), wish.plus(part), kept=[part.kept])

    def _listed(self) -> str | None:
        """A list column of values that the wish asks for."""
        held = [one.columns[0] for one in self.wish.pieces if len(one.columns) == 1 and not one.sql.startswith("NOT")]
        lists = [c for c in held if (column := self.world.manifest.column(c)) and column.is_list and column.values]
        return self.chance.choice(lists) if lists else None

    def _also(self) -> Draft | None:
        name = self._listed()
        part = piece(self.world, name, self.chance) if name else None
        if part is None or part.form != "adj" or part.sql in self.wish.where:
            return None
        return Draft("also", self.words.about("also", part), self.wish.plus(part))

    def _instead(self) -> Draft | None:
        name = self._listed()
        part = piece(self.world, name, self.chance) if name else None
        if name is None or part is None or part.form != "noun" or part.sql in self.wish.where:
            return None
        refused = [
            one
            for one in self.wish.pieces
            if name in one.columns and one.sql.startswith("NOT") and part.sql not in one.sql
        ]
        kept = [one for one in self.wish.pieces if name not in one.columns or one in refused]
        return Draft(
            "instead", self.words.about("refine_noun", part), replace(self.wish, pieces=tuple(kept)).plus(part)
        )

    def _swap(self) -> Draft | None:
        """ "tense instead of eerie": a value that is wanted gives its place to another of its column."""
        held = [
            (at, one)
            for at, one in enumerate(self.wish.pieces)
            if len(one.columns) == 1 and one.form in ("adj", "noun", "post") and one.text and " OR " not in one.sql
        ]
        if not held:
            return None
        at, old = self.chance.choice(held)
        new = next(
            (
                one
                for _ in range(8)
                if (one := piece(self.world, old.columns[0], self.chance)) is not None
                and (one.form, one.columns) == (old.form, old.columns)
                and one.sql not in self.wish.where
                and one.text != old.text
            ),
            None,
        )
        if new is None:
            return None
        text = self.words.say("swap", new=new.text, old=old.text)
        pieces = (*self.wish.pieces[:at], new, *self.wish.pieces[at + 1 :])
        return Draft("swap", text, replace(self.wish, pieces=pieces), kept=[new.kept, old.kept])

    def _refuse(self) -> Draft | None:
        no = refusal(self.world, self.chance, self.frames, frozenset(one.sql for one in self.wish.pieces))
        if no is None or no.sql in self.wish.where:
            return None
        return Draft("refuse", no.text, self.wish.plus(no))

    def _compare(self) -> Draft | None:
        """Beyond what the last items span."""
        options = []
        for span in self._spans():
            words = self.world.words.get(span.column)
            if words is None or isinstance(span.low, str) or isinstance(span.high, str):
                continue
            options += [(span.column, f"{span.column} < {plain(span.low)}", word) for word in words.less]
            options += [(span.column, f"{span.column} > {plain(span.high)}", word) for word in words.more]
        if not options:
            return None
        years = [option for option in options if self.world.words[option[0]].kind == "year"]
        column, sql, word = self.chance.choice(years if years and self.chance.random() < 0.4 else options)
        return Draft(
            "compare",
            self.words.say("compare", w=word),
            self.wish.without(column).plus(Piece((column,), sql, "post", word)),
        )

    def _drop(self) -> Draft | None:
        held = sorted(column for column in self.wish.columns if column in self.world.words)
        if not held:
            return None
        column = self.chance.choice(held)
        said = self.chance.choice(self.world.words[column].said or [column.replace("_", " ")])
        return Draft("drop", self.words.say("drop", said=said), self.wish.without(column))

    def _release(self) -> Draft | None:
        """ "it doesn't have to be French": one condition goes, in its own words."""
        held = [
            (at, one) for at, one in enumerate(self.wish.pieces) if one.form in ("adj", "noun", "post") and one.text
        ]
        if not held:
            return None
        at, old = self.chance.choice(held)
        text = self.words.about(f"release_{old.form}", old)
        pieces = (*self.wish.pieces[:at], *self.wish.pieces[at + 1 :])
        return Draft("drop", text, replace(self.wish, pieces=pieces), kept=[old.kept])

    def _theme(self) -> Draft | None:
        kept: list[str] = []
        said, calls = self.words.tails(kept)
        text = self.chance.choice(
            ["{}", "{}", "{} please", "but {}", "something {}", "ideally {}", "make it {}", "ones {}"]
        )
        return Draft(
            "theme", text.format(said[0]), replace(self.wish, searches=(*self.wish.searches, *calls)[-2:]), kept=kept
        )

    def _spans(self) -> tuple[Span, ...]:
        rows = [dict(self.world.items[row]) for row in self.last_rows]
        return spans(self.world.manifest, rows)

    def _finish(self, draft: Draft) -> Turn | None:
        """The message as it is typed and its plan; None where the filter finds nothing."""
        kept = " ".join(draft.kept)
        rows = [*draft.liked, *draft.disliked]
        kept += " " + " ".join(self.world.titles[row] for row in rows)
        text = noisy(draft.text, kept, self.frames, self.chance)
        named = self._named(text, rows)
        wish = draft.wish
        if draft.tool:
            titles = {row: self._title(row, text, named) for row in rows}
            calls = title_calls(draft, titles)
            if draft.tool == "title_lookup":
                draft.plan = Plan(act="answer", calls=tuple(calls))
            else:
                held = {call.tool: call for call in wish.searches}
                if draft.tool == "cf_recommend" and draft.tool in held:
                    calls = [joined(held[draft.tool], calls[0])]
                wish = replace(wish, searches=(*(c for c in wish.searches if c.tool != draft.tool), *calls)[-3:])
        wish = as_written(wish, draft.kept, text)
        if draft.plan is None and len(wish.pieces) > 6:
            return None
        found = self.world.select(wish.where, wish.order_by) if draft.plan is None else np.empty(0, dtype=np.int64)
        if draft.plan is None and not len(found):
            return None
        plan = draft.plan or wish.plan(draft.count)
        shown = self._spans()
        context = PlannerContext(
            text, tuple(self.liked[-RECALLED:]), tuple(self.disliked[-RECALLED:]), self.last_plan,
            tuple(self.world.titles[row] for row in self.last_rows), shown, tuple(named),
            found_in(self.world.value_index, text, shown),
        )  # fmt: skip
        kind = draft.kind if self.last_plan else f"first {draft.kind}"
        self._remember(draft, plan, wish, found)
        return Turn(kind, context, plan)

    def _remember(self, draft: Draft, plan: Plan, wish: Wish, found: Rows) -> None:
        if plan.act not in ("recommend", "ask"):
            return
        self.wish, self.last_plan = wish, plan
        if plan.act == "ask":
            return
        size = plan.count or SHOWN
        if wish.searches and not wish.order_by:
            self.last_rows = [
                int(found[i]) for i in sorted(self.chance.sample(range(len(found)), min(size, len(found))))
            ]
        else:
            fresh = [int(row) for row in found if int(row) not in self.last_rows]
            self.last_rows = fresh[:size] or self.last_rows
        if draft.tool == "cf_recommend":
            self.liked += [self.world.titles[row] for row in draft.liked]
            self.disliked += [self.world.titles[row] for row in draft.disliked]

    def _named(self, text: str, rows: list[int]) -> list[str]:
        """What the product finds in the text; in a generated world, where nothing is indexed, most titles in it."""
        if self.world.catalog is not None:
            found = dict.fromkeys(self.world.titles[mention.row] for mention in find_mentions(self.world.catalog, text))
            return list(found)[:RECALLED]
        return [self.world.titles[row] for row in rows if self.chance.random() < 0.8]

    def _title(self, row: int, text: str, named: list[str]) -> str:
        title = self.world.titles[row]
        if title in named:
            return title
        start = text.lower().find(title.lower())
        return text[start : start + len(title)] if start >= 0 else title
