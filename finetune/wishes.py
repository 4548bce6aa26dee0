"""Wishes over any catalog, with the calls that serve them: for the roles that read a turn rather than plan it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from agent.plan import Call
from agent.wording import Fact, Wording, article, sayable
from tools.catalog import Catalog, Item

POPULAR = 1500  # most popular items that a wish may start from
GIVEN_UP = 0.12  # share of wishes with a condition that nothing meets


class WishPatterns(BaseModel):
    """The sentences around a wish."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    themes: list[str]
    feelings: list[str]
    wishes: list[str]
    likes: list[str]
    follow_ups: list[str]


@dataclass(frozen=True)
class Asked:
    """What was said, the calls that serve it, its noun phrase if it has one, and the titles it names as liked."""

    said: str
    calls: Sequence[Call]
    topic: str = ""
    likes: Sequence[str] = ()


@dataclass(frozen=True)
class Wishes:
    """Draws wishes that some item of the catalog meets."""

    catalog: Catalog
    wording: Wording
    phrases: WishPatterns
    chance: random.Random

    def draw(self) -> Asked:
        (item,) = self.catalog.items([self._row()])
        kind = self.chance.choices(["facts", "theme", "likes", "follow up"], [45, 22, 23, 10])[0]
        if kind == "likes":
            return self._likes(item)
        calls, adjectives, posts = self._conditions(item, 1 if kind == "theme" else self.chance.randint(1, 3))
        if kind == "follow up":
            return Asked(self.chance.choice(self.phrases.follow_ups), calls)
        if kind == "theme":
            if self.chance.random() < 0.7:
                theme = self.chance.choice(self.phrases.themes)
                posts.append(f"about {theme}")
            else:
                theme = self.chance.choice(self.phrases.feelings)
                posts.append(theme)
            tool = "dense_search" if self.chance.random() < 0.8 else "bm25_search"
            calls = [*(calls if self.chance.random() < 0.5 else []), Call(tool=tool, arguments={"query": theme})]
            if len(calls) == 1:
                adjectives, posts = [], posts[-1:]
        noun = self.catalog.manifest.noun
        names = self.wording.nouns.get(noun, [noun])
        phrase = [*adjectives, self.chance.choice(names), *posts]
        topic = f"{article(phrase[0])} {' '.join(phrase)}"
        many = " ".join([*adjectives, f"{self.chance.choice(names)}s", *posts])
        said = self.chance.choice(self.phrases.wishes).format(topic=topic, topics=many)
        return Asked(said if self.chance.random() < 0.6 else said.lower(), calls, topic)

    def _row(self) -> int:
        return self.chance.randrange(min(POPULAR, len(self.catalog)))

    def _likes(self, item: Item) -> Asked:
        liked = [item.title]
        if self.chance.random() < 0.5:
            (other,) = self.catalog.items([self._row()])
            liked += [other.title] if other.title != item.title else []
        people = self.catalog.cf is not None and (len(liked) > 1 or self.chance.random() < 0.6)
        calls = (
            [Call(tool="cf_recommend", arguments={"liked": liked})]
            if people
            else [Call(tool="similar_items", arguments={"item_id": title}) for title in liked]
        )
        said = self.chance.choice(self.phrases.likes).format(likes=" and ".join(liked))
        return Asked(said, calls, likes=tuple(liked))

    def _conditions(self, item: Item, most: int) -> tuple[list[Call], list[str], list[str]]:
        """One filter of conditions that the item meets, with adjectives and what follows the noun."""
        where: list[str] = []
        adjectives: list[str] = []
        posts: list[str] = []
        columns = [column for column in self.catalog.manifest.columns if item.values.get(column.name) not in (None, ())]
        # Wishes are mostly about the short vocabularies, then about names and numbers.
        weighed = [(self.chance.random() ** (0.4 if column.values else 1.0), column) for column in columns]
        for _, column in sorted(weighed, key=lambda pair: -pair[0]):
            value = item.values[column.name]
            one = str(self.chance.choice(value)) if isinstance(value, tuple) else str(value)
            fact = Fact(column.name.replace("_", " "), (one,))
            forms = self.wording.forms(column.name, one)
            if len(where) == most:
                break
            quoted = one.replace("'", "''")
            if column.name == "year" and isinstance(value, int):
                said, condition = self._years(value)
                posts.append(said)
                where.append(condition)
            elif column.type in ("integer", "number") and (forms.under or forms.over):
                low = bool(forms.under) and (not forms.over or self.chance.random() < 0.5)
                bound = round(float(value) * (1.15 if low else 0.9), 0 if column.type == "integer" else 1)
                posts.append(fact.say(self.chance.choice(forms.under if low else forms.over), forms, "", f"{bound:g}"))
                where.append(f"{column.name} {'<' if low else '>'} {bound:g}")
            elif column.type == "text" and sayable(fact, forms) and (forms.adj or forms.post) and len(one) < 40:
                held = f"'{quoted}' IN {column.name}" if column.is_list else f"{column.name} ILIKE '%{quoted}%'"
                where.append(held)
                into, ways = (adjectives, forms.adj) if forms.adj else (posts, forms.post)
                into.append(fact.say(self.chance.choice(ways), forms, ""))
        if self.chance.random() < GIVEN_UP and where:
            self._impossible(where, posts)
        calls = [Call(tool="sql_filter", arguments={"where": " AND ".join(where)})] if where else []
        return calls, adjectives, posts

    def _years(self, year: int) -> tuple[str, str]:
        decade = year // 10 * 10
        return self.chance.choice(
            [
                (f"from the {decade}s", f"year BETWEEN {decade} AND {decade + 9}"),
                (f"from the {decade}s", f"year BETWEEN {decade} AND {decade + 9}"),
                (f"from {year}", f"year = {year}"),
                (f"from before {decade + 10}", f"year < {decade + 10}"),
                (f"from after {decade}", f"year > {decade}"),
            ]
        )

    def _impossible(self, where: list[str], posts: list[str]) -> None:
        """A bound just outside a column's range, so that it has to be given up."""
        ranges = [
            column
            for column in self.catalog.manifest.columns
            if column.type in ("integer", "number") and isinstance(column.minimum, float)
        ]
        if ranges and not any(f"{column.name} " in condition for column in ranges for condition in where):
            column = self.chance.choice(ranges)
            low = f"{column.minimum:g}"
            forms = self.wording.forms(column.name, low)
            ways = ["from before {v}"] if column.name == "year" else forms.under
            if ways:
                posts.append(Fact(column.name.replace("_", " "), (low,)).say(self.chance.choice(ways), forms, ""))
                where.append(f"{column.name} < {low}")
