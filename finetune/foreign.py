"""Dialogues in the other languages of a domain file: the plan is the one its English form would get."""

import random
from dataclasses import replace
from typing import Any

from agent.plan import Call, Plan
from finetune.dialogues import Dialogue
from finetune.phrases import UNSAYABLE, Piece, is_value
from finetune.wish import Draft, Wish
from finetune.worlds import World
from tools.quantities import plain


class ForeignDialogue(Dialogue):
    """A dialogue whose person speaks `language`, a key of the domain's `languages`."""

    def __init__(self, world: World, frames: dict[str, Any], chance: random.Random, language: str) -> None:
        # English greetings and slang around a foreign sentence are nobody's way of speaking.
        quiet = {**frames, "openers": [""], "closers": [""], "slang": {}}
        super().__init__(world, quiet, chance)
        self.said: dict[str, Any] = world.domain.languages[language]

    def _first(self) -> Draft | None:
        return self._one_of(
            (58, self._wished),
            (12, self._like_one),
            (10, self._loved),
            (10, self._nothing_said),
            (10, self._small_talk),
        )

    def _next(self) -> Draft | None:
        if self.last_plan is not None and self.last_plan.act == "ask" and self.chance.random() < 0.4:
            return Draft("whatever", self._any("whatever"), self.wish)
        return self._one_of(
            (22, self._with_post), (18, self._without), (22, self._beyond), (14, self._others), (12, self._genre),
            (6, self._like_one), (6, self._loved), (6, self._small_talk), (8, self._with_theme),
        )  # fmt: skip

    def _any(self, key: str) -> str:
        return str(self.chance.choice(self.said[key]))

    def _wished(self) -> Draft | None:
        genre = self._genre_piece()
        if genre is None:
            return None
        pieces = [genre]
        for make in (self._person_piece, self._decade_piece, self._post_piece, self._refused_piece):
            found = make() if self.chance.random() < 0.25 else None
            if found is not None and not set(found.columns) & {column for one in pieces for column in one.columns}:
                pieces.append(found)
        said = [one.text for one in pieces]
        wish, kept = Wish().plus(*pieces), [one.kept for one in pieces]
        if self.chance.random() < 0.25:
            text, call = self._theme_call()
            said.insert(1, text)
            wish, kept = replace(wish, searches=(call,)), [*kept, text]
        return Draft("foreign", self._any("request").replace("{np}", " ".join(said)), wish, kept=kept)

    def _theme_call(self) -> tuple[str, Call]:
        """What it is about: said in their language, searched for in English."""
        theme, word = self.chance.choice(list(self.said["themes"].items()))
        text = self._any("about").replace("{x}", str(word))
        return text, Call(tool="dense_search", arguments={"query": theme})

    def _with_theme(self) -> Draft | None:
        text, call = self._theme_call()
        return Draft("foreign theme", text, replace(self.wish, searches=(*self.wish.searches, call)[-2:]), kept=[text])

    def _loved(self) -> Draft | None:
        if self.world.manifest.interactions == 0:
            return None
        rows = list({self._row(): None for _ in range(self.chance.choice([1, 2, 2]))})
        names = [self.world.titles[row] for row in rows]
        if self.chance.random() < 0.2:
            text = self._any("hated").replace("{t}", names[0])
            return Draft("foreign disliked", text, self.wish, disliked=rows[:1], tool="cf_recommend")
        text = self._any("loved").replace("{ts}", " & ".join(names))
        return Draft("foreign liked", text, replace(self.wish, searches=()), liked=rows, tool="cf_recommend")

    def _person_piece(self) -> Piece | None:
        column = self.chance.choice(("cast", "director"))
        if self.world.manifest.column(column) is None:
            return None
        held = [item[column] for item in self.chance.sample(list(self.world.items), 20) if item.get(column)]
        if not held:
            return None
        name = str(self.chance.choice(held[0]))
        if set(name) & UNSAYABLE:
            return None
        text = self._any(column).replace("{v}", name)
        return Piece((column,), f"{column} ILIKE '%{name}%'", "post", text, kept=name)

    def _genre(self) -> Draft | None:
        piece = self._genre_piece()
        if piece is None or self.wish.columns & {"genres"}:
            return None
        return Draft("foreign genre", piece.text, self.wish.plus(piece))

    def _with_post(self) -> Draft | None:
        piece = self._post_piece() if self.chance.random() < 0.6 else self._decade_piece()
        if piece is None or piece.columns in (("genres",), ("content",)):
            return None
        return Draft("foreign refine", piece.text, self.wish.without(piece.columns[0]).plus(piece), kept=[piece.kept])

    def _without(self) -> Draft | None:
        piece = self._refused_piece()
        if piece is None or piece.sql in self.wish.where or piece.sql[5:-1] in self.wish.where:
            return None
        return Draft("foreign refuse", piece.text, self.wish.plus(piece))

    def _beyond(self) -> Draft | None:
        options = []
        for span in self._spans():
            said = self.said["compare"].get(span.column, {})
            if not isinstance(span.low, str) and not isinstance(span.high, str):
                options += [(span.column, f"< {plain(span.low)}", text) for text in said.get("less", [])]
                options += [(span.column, f"> {plain(span.high)}", text) for text in said.get("more", [])]
        if not options:
            return None
        column, bound, text = self.chance.choice(options)
        wish = self.wish.without(column).plus(Piece((column,), f"{column} {bound}", "post", text))
        return Draft("foreign compare", text, wish)

    def _others(self) -> Draft | None:
        return Draft("foreign seen", self._any("seen"), self.wish) if self.last_rows else None

    def _like_one(self) -> Draft | None:
        row = self._row()
        text = self._any("like_one").replace("{t}", self.world.titles[row])
        return Draft("foreign liked", text, replace(self.wish, searches=()), liked=[row], tool="similar_items")

    def _nothing_said(self) -> Draft | None:
        draft = self._wide()
        return draft and replace(draft, kind="foreign wide", text=self._any("wide"))

    def _small_talk(self) -> Draft | None:
        return Draft("foreign chat", self._any("chat"), self.wish, Plan(act="chat"))

    def _genre_piece(self) -> Piece | None:
        column = self.world.manifest.column("genres")
        known = [value for value in self.said["genres"] if column and value in (column.values or ())]
        if column is None or not known:
            return None
        value = self.chance.choice(known)
        return Piece(("genres",), is_value(column, value), "noun", str(self.chance.choice(self.said["genres"][value])))

    def _decade_piece(self) -> Piece | None:
        if self.world.manifest.column("year") is None:
            return None
        decade = self.chance.choice(list(self.said["decades"]["names"]))
        name = self.chance.choice(self.said["decades"]["names"][decade])
        text = str(self.chance.choice(self.said["decades"]["forms"])).replace("{d}", str(name))
        return Piece(("year",), f"year BETWEEN {decade} AND {decade + 9}", "post", text, kept=text)

    def _post_piece(self) -> Piece | None:
        known = [said for said in self.said["post"] if self.world.manifest.column(said["column"])]
        if not known:
            return None
        said = self.chance.choice(known)
        return Piece((said["column"],), said["sql"], "post", said["say"], kept=said["say"])

    def _refused_piece(self) -> Piece | None:
        known = [
            (column, value, word)
            for name, words in self.said["not"]["words"].items()
            if (column := self.world.manifest.column(name)) is not None
            for value, word in words.items()
            if value in (column.values or ())
        ]
        if not known:
            return None
        column, value, word = self.chance.choice(known)
        text = str(self.chance.choice(self.said["not"]["forms"])).replace("{x}", word)
        return Piece((column.name,), f"NOT ({is_value(column, value)})", "refusal", text, kept=word)


def languages(world: World) -> list[str]:
    """The languages, English aside, that requests for this world's items are written in."""
    return [name for name in world.domain.languages if name != "en"]
