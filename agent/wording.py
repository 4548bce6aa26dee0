"""How the facts of an item are put into words: the forms of prompts/columns.yaml, filled."""

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from agent import spoken
from agent.evidence import Pick
from agent.facts import stems
from tools.errors import UsherError
from tools.schema import Manifest

SLOTS = ("adj", "post", "pred", "both")  # of Forms: what replies are composed of
Patterns = TypeVar("Patterns", bound=BaseModel)

NUMBER = re.compile(r"-?\d+(\.\d+)?")
Saying = tuple[str, str]  # a column and what was said of it
SLOT = re.compile(r"\{(\w+)\}")
LIKED = "liked by people who liked "
SUBJECT = re.compile(r"(?:An?|The|One|Two|Three|Four|Five|Several|Everyone|Someone|Whatever) ")
DANGLING = re.compile(r"\b(?:it|its|they|them|their)\b")  # may mean what stood before
# Where a clause may end: what follows only adds to it.
BREAK = re.compile(
    r",? (?:while|until|after|before|because|so that)\b|; |, (?:and|but|where|which|only)\b"
    r"| and (?=(?!(?:his|its|this|always|perhaps) )[a-z]+(?<!s)s )"
)


def read_patterns(room: str, file: str, model: type[Patterns]) -> Patterns:
    """A file of phrases in that room. Raises UsherError naming the file and the key that is wrong."""
    text = files(room).joinpath(file).read_text(encoding="utf-8")
    try:
        return model.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsherError(f"{room}/{file}: {where}: {first['msg']}") from error


class Forms(BaseModel):
    """Ways to speak of one column; the keys are told at the head of columns.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lower: bool = False
    aside: bool = False
    only: str = ""  # the values that can be spoken of, as a regular expression
    spelled: dict[str, str] = {}
    adj: list[str] = []
    post: list[str] = []
    pred: list[str] = []
    both: list[str] = []
    ask: list[str] = []
    low: list[str] = []
    high: list[str] = []
    under: list[str] = []
    over: list[str] = []
    less: list[str] = []
    more: list[str] = []
    critique: list[str] = []
    refuse: list[str] = []


class Wording(BaseModel):
    """columns.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nouns: dict[str, list[str]]
    columns: dict[str, Forms]
    other_text: Forms
    other_number: Forms
    year_critique: dict[str, list[str]]

    @model_validator(mode="before")
    @classmethod
    def _alike(cls, data: dict[str, Any]) -> dict[str, Any]:
        columns = data["columns"]
        return {**data, "columns": {name: columns[forms.get("like", name)] for name, forms in columns.items()}}

    def forms(self, column: str, value: str = "") -> Forms:
        """Of a column by its name, with spaces or underscores; by the kind of its value where nobody wrote any."""
        known = self.columns.get(column.replace(" ", "_"))
        return known or (self.other_number if NUMBER.fullmatch(value) else self.other_text)

    def backed(self, manifest: Manifest, neutral: frozenset[str]) -> Self:
        """For one catalog: the forms of each of its columns whose own words its name or note bears out, or that state
        nothing. Of a runtime without a note nobody knows whether it is in minutes.
        """
        columns = dict(self.columns)
        for column in manifest.columns:
            known = neutral | stems(f"{column.name.replace('_', ' ')} {column.note} {manifest.noun}")
            forms = self.forms(column.name, "" if column.type == "text" else "0")
            kept = {
                slot: [form for form in getattr(forms, slot) if stems(SLOT.sub(" ", form)) <= known] for slot in SLOTS
            }
            columns[column.name] = forms.model_copy(update=kept)
        return self.model_copy(update={"columns": columns})

    @cached_property
    def order(self) -> dict[str, int]:
        """Adjectives stand in this order."""
        return {name: place for place, name in enumerate(self.columns)}


@dataclass(frozen=True)
class Fact:
    """A value of a column (with spaces in its name); of a list, its elements."""

    column: str
    values: tuple[str, ...]

    def say(self, form: str, forms: Forms, noun: str, value: str | None = None) -> str:
        """A form with the value (all of them by default), in the way it is written in a sentence."""
        values = [forms.spelled.get(each, each) for each in (self.values if value is None else (value,))]
        said = " and ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)
        said = said.lower() if forms.lower else said
        return form.format(v=said, c=self.column, noun=noun, a=article(said))


@dataclass(frozen=True)
class Known:
    """What is told of one pick, taken apart: the only source of a composed reply."""

    pick: Pick
    facts: tuple[Fact, ...]
    liked: str  # what people who like it liked
    text: str

    def fact(self, column: str) -> Fact | None:
        return next((fact for fact in self.facts if fact.column == column), None)


def known(picks: Sequence[Pick]) -> tuple[Known, list[Known]]:
    """What holds for all picks (of the first pick, without text), and what else is told of each."""
    shared, told = spoken.tell(picks)
    return _apart(picks[0], shared, ""), [_apart(pick.pick, pick.facts, pick.text) for pick in told]


def all_known(picks: Sequence[Pick]) -> list[Known]:
    """Of each pick everything there is to say."""
    return [_apart(pick, told.facts, told.text) for pick in picks for told in [spoken.tell_all(pick)]]


def _apart(pick: Pick, facts: Sequence[str], text: str) -> Known:
    apart, liked = [], ""
    for said in facts:
        column, colon, value = said.partition(": ")
        if said.startswith(LIKED):
            liked = said.removeprefix(LIKED)
        elif colon:
            listed = pick.item.values.get(column.replace(" ", "_"))
            values = value.split(", ") if isinstance(listed, (list, tuple)) else [value]
            apart.append(Fact(column, tuple(values)))
    return Known(pick, tuple(apart), liked, text)


def article(words: str) -> str:
    return "an" if words[:1].lower() in "aeiou" and not words.lower().startswith(("one", "uni", "eu")) else "a"


def noun_phrase(
    known: Known,
    wording: Wording,
    noun: str,
    chance: random.Random,
    said: Collection[Saying],
    dated: bool,
) -> tuple[str, list[Saying]] | None:
    """ "a dark crime film by Michael Mann", and what it says; None when there is too little to say.

    What was `said` is left out, and the year where the title gives it (`dated`). Of a list of attributes one is named.
    """
    adjectives, posts, saying = list[str](), list[str](), list[Saying]()
    for fact in sorted(known.facts, key=lambda fact: wording.order.get(fact.column.replace(" ", "_"), 99)):
        forms = wording.forms(fact.column, fact.values[0])
        value = chance.choice(fact.values) if forms.lower else ", ".join(fact.values)
        if (fact.column, value) in said or not sayable(fact, forms):
            continue
        if forms.adj and len(adjectives) < 2 and chance.random() < 0.7:
            adjectives.append(fact.say(chance.choice(forms.adj), forms, noun, value))
            saying.append((fact.column, value))
        elif forms.post and not posts and chance.random() < 0.4:
            posts.append(fact.say(chance.choice(forms.post), forms, noun))
            saying.append((fact.column, value))
    year = known.pick.item.year
    if year is not None and not dated and chance.random() < 0.3:
        posts.insert(0, f"from {year}") if chance.random() < 0.7 else adjectives.insert(0, str(year))
    if not saying:
        return None
    phrase = " ".join([*adjectives, noun, *posts])
    return f"{article(phrase)} {phrase}", saying


def sayable(fact: Fact, forms: Forms) -> bool:
    return not forms.only or bool(re.fullmatch(forms.only, fact.values[0]))


def first_sentence(text: str) -> str:
    """Of a text as it is told, which may be cut short and then ends in dots."""
    return re.split(r"(?<=[.!?]) (?!\.\.\.)", text)[0]


def clauses(text: str, words: int) -> Iterator[str]:
    """Main clauses of a text's first sentence, in lower case at their start, of at most so many words.

    A text cut short (it ends in dots) gives only what ends before the cut.
    """
    whole = not text.endswith(" ...")
    sentence = first_sentence(text).removesuffix(" ...")
    ended = whole or sentence.endswith((".", "!", "?"))
    sentence = sentence.rstrip(".!?")
    if not SUBJECT.match(sentence):
        _, comma, after = sentence.partition(", ")
        if not comma or not SUBJECT.match(after[:1].upper() + after[1:]):
            return
        if DANGLING.search(after):
            return
        sentence = after
    sentence = sentence[:1].lower() + sentence[1:]
    if ended and len(sentence.split()) <= words:
        yield sentence
    for match in BREAK.finditer(sentence):
        clause = sentence[: match.start()]
        if 6 <= len(clause.split()) <= words and clause.count(",") != 1:
            yield clause
