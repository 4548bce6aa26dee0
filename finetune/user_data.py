"""The simulated user's training data: people's own past and later likes, dialogues with the tools, composed messages.

A person's tastes are attributes that their later likes have in common; they never stand as titles. What the person says
follows from what was shown: they take an item that meets every taste, and otherwise name a taste that is missed.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict

from agent.evidence import Pick, gather
from agent.histories import History, histories, part_of
from agent.memory import Profile
from agent.messages import HEARD, LEAVE, USER_WORDS, Heard, UserKind, user_messages
from agent.plan import Call, Plan
from agent.pool import Pool, fuse, run_calls
from agent.rank import kinds as rank_kinds
from agent.spoken import short_facts
from agent.wording import Fact, Forms, Wording, article, read_patterns, sayable
from finetune.example import Example
from tools.catalog import Catalog, Item
from tools.literals import spell, spell_column

KINDS: tuple[UserKind, ...] = ("knows", "vague", "changes mind", "contrary", "terse")
TURNS = 5  # of a dialogue at most
SHOWN = 5
TASTES = 3  # that a person has at most
LATER = 10  # later likes from which tastes are read
COMMON = 0.5  # share of the items from which a value is no taste
PATIENCE = 0.04  # chance that a person leaves after the third turn, a turn


class Manner(BaseModel):
    """How one kind of person speaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: list[str]
    critique: list[str]
    others: list[str]


class Phrases(BaseModel):
    """user.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manners: dict[UserKind, Manner]
    take: list[str]
    answer: list[str]
    leave: list[str]


@dataclass(frozen=True)
class Taste:
    """One attribute that is wanted, or not wanted: a value of a column, or a decade."""

    column: str
    value: str
    low: int = 0  # of a decade
    wanted: bool = True

    def line(self) -> str:
        if self.low:
            return f"year: {self.low} to {self.low + 9}"
        return f"{'' if self.wanted else 'not '}{self.column}: {self.value}"

    def seen(self, pick: Pick) -> bool:
        """Whether the facts that the person reads of it show it."""
        if self.low:
            return pick.item.year is not None and self.low <= pick.item.year <= self.low + 9
        facts = "; ".join(short_facts(pick, USER_WORDS))
        return (self.value in facts) == self.wanted

    def condition(self, is_list: bool) -> str:
        if self.low:
            return f"year BETWEEN {self.low} AND {self.low + 9}"
        name = spell_column(self.column)
        held = f"{spell(self.value)} IN {name}" if is_list else f"{name} = {spell(self.value)}"
        return held if self.wanted else f"NOT ({held})"


@dataclass
class _Person:
    """One person in one dialogue; `said` are the tastes they have named."""

    kind: UserKind
    persona: str
    tastes: tuple[Taste, ...]
    heard: list[Heard] = field(default_factory=list)
    said: list[Taste] = field(default_factory=list)


def user_examples(catalog: Catalog, seed: int, count: int) -> Iterator[Example]:
    """`count` messages of simulated users, of people that `agent.histories` gives to training.

    Raises UsherError for a catalog without interactions.
    """
    maker = _Maker(catalog, random.Random(seed))
    people = [one for one in histories(catalog) if part_of(one.user_id) == "train" and len(one.likes) > 2 * TASTES]
    made = 0
    while made < count:
        for example in maker.dialogue(maker.chance.choice(people)):
            made += 1
            yield example.model_copy(update={"id": f"user-{seed}-{made}"})
            if made == count:
                return


class _Maker:
    """What all dialogues share."""

    def __init__(self, catalog: Catalog, chance: random.Random) -> None:
        self.catalog, self.chance = catalog, chance
        self.noun = catalog.manifest.noun
        self.wording = read_patterns("prompts", "columns.yaml", Wording)
        self.phrases = read_patterns("finetune", "data/user.yaml", Phrases)
        self.columns = {
            column.name: column
            for column in catalog.manifest.columns
            if column.type == "text" and (self.wording.forms(column.name, "a").critique)
        }

        items = catalog.items(range(len(catalog)))
        held = Counter((name, value) for item in items for name in self.columns for value in self._column(item, name))
        told = Counter(name for item in items for name in self.columns if self._column(item, name))
        # Of the items whose column is filled; what most of them have is no taste.
        self.shares = {(name, value): count / told[name] for (name, value), count in held.items()}

    def dialogue(self, history: History) -> Iterator[Example]:
        person = self._person(history)
        if person is None:
            return
        for turn in range(TURNS):
            said = self._message(person, turn)
            messages = user_messages(
                self.noun, person.persona, [t.line() for t in person.tastes], person.heard, person.kind
            )
            stage = (
                "first" if turn == 0 else "leave" if LEAVE in said else "take" if "I'll take" in said else "critique"
            )
            yield Example(role="user", id="", kind=f"{person.kind} {stage}", messages=messages, answer=said)
            if stage in ("leave", "take"):
                return
            person.heard.append(self._answer(person, said))

    def _person(self, history: History) -> _Person | None:
        """A persona of the earlier likes, tastes of the later ones; None where those have nothing in common."""
        half = len(history.likes) // 2
        earlier = self.catalog.items(history.rows[history.likes[:half]])
        later = self.catalog.items(history.rows[history.likes[half:]][:LATER])
        tastes = self._tastes(later)
        if not tastes:
            return None
        kinds = Counter(value for item in earlier for value in rank_kinds(item))
        decades = Counter(item.year // 10 * 10 for item in earlier if item.year is not None)
        loved = " and ".join(value.lower() for value, _ in kinds.most_common(2)) or "all kinds"
        era = f", mostly from the {decades.most_common(1)[0][0]}s" if decades else ""
        return _Person(self.chance.choice(KINDS), f"someone who likes {loved} {self.noun}s{era}", tastes)

    def _tastes(self, later: Sequence[Item]) -> tuple[Taste, ...]:
        """What one of the later likes has that others have too; and now and then a value that none of them has."""
        target = self.chance.choice(later)
        held = Counter((name, value) for item in later for name in self.columns for value in self._column(item, name))
        own = [(name, value) for name in self.columns for value in self._column(target, name)]
        own.sort(key=lambda pair: -(held[pair] / len(later) - self.shares[pair]) * self.chance.random())
        tastes: list[Taste] = []
        for name, value in own:
            if self.shares[name, value] > COMMON:
                continue
            if sayable(Fact(name.replace("_", " "), (value,)), self.wording.forms(name, value)) and len(value) < 30:
                tastes.append(Taste(name, value))
            if len(tastes) == self.chance.choice((1, 2, 2, 3)):
                break
        if target.year is not None and self.chance.random() < 0.4:
            tastes.append(Taste("year", "", low=target.year // 10 * 10))
        column = next(
            (column for column in self.columns.values() if column.values is not None and column.is_list), None
        )
        if column is not None and column.values and self.chance.random() < 0.3:
            never = [
                value for value in column.values if not any(value in self._column(item, column.name) for item in later)
            ]
            if never:
                tastes.append(Taste(column.name, self.chance.choice(never), wanted=False))
        return tuple(tastes[:TASTES])

    @staticmethod
    def _column(item: Item, name: str) -> list[str]:
        value = item.values.get(name)
        return [str(one) for one in value] if isinstance(value, tuple) else [] if value is None else [str(value)]

    def _message(self, person: _Person, turn: int) -> str:
        manner = self.phrases.manners[person.kind]
        if turn == 0:
            return self._filled(
                self.chance.choice(manner.first), person, person.tastes[: self.chance.choice((1, 1, 2))]
            )
        last = person.heard[-1]
        # Only what can be read counts: a person who guessed would teach the model to guess.
        fits = [pick for pick in last.picks[:HEARD] if all(taste.seen(pick) for taste in person.tastes)]
        if fits:
            return self.chance.choice(self.phrases.take).format(t=fits[0].item.title)
        if turn >= 2 and self.chance.random() < PATIENCE * turn * (2 if person.kind == "contrary" else 1):
            return f"{self.chance.choice(self.phrases.leave)} {LEAVE}"
        unsaid = [taste for taste in person.tastes if taste not in person.said]
        missed = [
            t for t in person.tastes if not last.picks or sum(t.seen(pick) for pick in last.picks) * 2 < len(last.picks)
        ]
        asked = unsaid or missed
        if not last.picks:  # asked back, or small talk
            return self._filled(self.chance.choice(self.phrases.answer), person, (asked or list(person.tastes))[:1])
        if not asked:
            return self.chance.choice(manner.others)
        return self._filled(self.chance.choice(manner.critique), person, [self.chance.choice(asked)])

    def _filled(self, pattern: str, person: _Person, tastes: Sequence[Taste]) -> str:
        """A pattern with tastes in words; a person who names none has said nothing yet."""
        wanted = [taste for taste in tastes if taste.wanted] or list(person.tastes[:1])
        if "{" in pattern:
            person.said += [taste for taste in (tastes if "{more}" in pattern else wanted) if taste not in person.said]
        bare = self._phrase(wanted)
        first = bare.split(" ")[0]
        text = pattern.format(
            np=f"{article(first)} {bare}",
            bare=bare,
            more=self._critique(tastes[0]),
            noun=self.noun,
            nouns=f"{self.noun}s",
        )
        return text if person.kind != "terse" else text.lower()

    def _phrase(self, tastes: Sequence[Taste]) -> str:
        """ "dark comedy film from the 1990s"."""
        before, after = list[str](), list[str]()
        for taste in tastes:
            if taste.low:
                after.append(f"from the {taste.low}s")
                continue
            forms, fact = self._forms(taste)
            if not taste.wanted:
                after.append(f"without {taste.value.lower()}")
            elif forms.adj:
                before.append(fact.say(self.chance.choice(forms.adj), forms, self.noun))
            elif forms.post:
                after.append(fact.say(self.chance.choice(forms.post), forms, self.noun))
        nouns = self.wording.nouns.get(self.noun, [self.noun])
        return " ".join([*before, self.chance.choice(nouns), *after])

    def _critique(self, taste: Taste) -> str:
        if taste.low:
            return f"something from the {taste.low}s please"
        forms, fact = self._forms(taste)
        ways = forms.critique if taste.wanted else forms.refuse
        return fact.say(self.chance.choice(ways or ["{v}"]), forms, self.noun)

    def _forms(self, taste: Taste) -> tuple[Forms, Fact]:
        return self.wording.forms(taste.column, taste.value), Fact(taste.column.replace("_", " "), (taste.value,))

    def _answer(self, person: _Person, said: str) -> Heard:
        """What a shop that understood some of it would show; now and then it asks back."""
        if not person.said or self.chance.random() < 0.1:
            column = self.chance.choice([column for column in self.columns.values() if column.values] or [None])
            name = "kind" if column is None else column.name.replace("_", " ")
            return Heard(said, f"What {name} would you like?", ())
        understood = [taste for taste in person.said if self.chance.random() < 0.8]
        conditions = [t.condition(bool((c := self.columns.get(t.column)) and c.is_list)) for t in understood]
        calls = [Call(tool="sql_filter", arguments={"where": " AND ".join(conditions)})] if conditions else []
        shown = {pick.item.row for heard in person.heard for pick in heard.picks}
        pool = Pool(np.ones(len(self.catalog), dtype=np.bool_), self._excluded(shown))
        for _ in run_calls(self.catalog, Plan(act="recommend", calls=tuple(calls)), Profile(), pool):
            pass
        rows, scores = fuse(pool, self.catalog.popularity)
        start = self.chance.choice((0, 0, 0, 5, 20)) if len(rows) > 40 else 0
        rows, scores = rows[start : start + SHOWN], scores[start : start + SHOWN]
        picks: list[Pick] = gather(self.catalog, rows, list(scores), pool.ran)
        return Heard(said, "Here you are.", tuple(picks))

    def _excluded(self, rows: set[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        excluded = np.zeros(len(self.catalog), dtype=np.bool_)
        excluded[np.array(sorted(rows), dtype=np.int64)] = True
        return excluded
