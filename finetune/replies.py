"""Composes the writer's replies from hand-written patterns and what the writer reads of the picks, and nothing else."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from finetune.wording import SLOT, Known, Saying, Wording, clauses, noun_phrase, sayable

LONGEST = 58  # words of a reply
SHAPES = {1: [(1, 1)], 2: [(1, 1), (2,)], 3: [(1, 2), (1, 1, 1), (2, 1)], 4: [(1, 2, 1), (2, 2), (1, 3)]}
SHAPES |= {5: [(1, 2, 2), (2, 2, 1), (2, 3), (1, 3, 1)]}  # titles in each sentence
NUMBERS = ("no", "one", "two", "three", "four", "five")


class Replies(BaseModel):
    """What writer.yaml says of replies about picks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    opening: dict[str, list[str]]
    alike: list[str]
    one: dict[str, list[str]]
    two: dict[str, list[str]]
    three: list[str]
    closing: dict[str, list[str]]
    answers: dict[str, list[str]]


@dataclass(frozen=True)
class Wish:
    """What the reply may take up of a wish: its noun phrase, the titles it is about, whether something was given up."""

    topic: str = ""
    likes: str = ""
    given_up: bool = False


@dataclass
class Composer:
    """Fills patterns; `said` is what this reply has said so far, so that no sentence repeats another."""

    patterns: Replies
    wording: Wording
    noun: str
    chance: random.Random
    said: list[Saying] = field(default_factory=list)

    def reply(self, picks: Sequence[Known], shared: Known, wish: Wish) -> str | None:
        """Two to four sentences that name every pick with a reason; None when the patterns found too little to say.

        `shared` holds what is true of all picks.
        """
        self.said = []
        opening = self._opening(len(picks), wish)
        alike = self._alike(shared, len(picks))
        body = self._body(picks)
        if body is None:
            return None
        most = "one" if len(picks) == 1 else "many"
        closing = [self.chance.choice(self.patterns.closing[most])] if self.chance.random() < 0.3 else []
        for parts in ([*opening, *alike, *body, *closing], [*alike, *body, *closing], [*alike, *body], body):
            text = " ".join(parts)
            if len(text.split()) <= LONGEST:
                return text
        return None

    def fill(self, pattern: str, picks: Sequence[Known], **values: str) -> str | None:
        """A pattern with the titles and reasons of its picks; None when one of them has nothing for a slot."""
        many = len(picks) > 1
        for number, pick in enumerate(picks, start=1):
            mark = str(number) if many else ""
            for slot in dict.fromkeys(SLOT.findall(pattern)):
                name = slot.rstrip("0123456789")
                if slot in values or (many and not slot.endswith(mark)) or name in ("liked", "both"):
                    continue
                value = self._slot(name, slot, pick, many, pattern)
                if value is None:
                    return None
                values[slot] = value
        for slot in ("liked", "both"):
            if f"{{{slot}}}" in pattern:
                value = self._both(picks) if slot == "both" else self._liked(picks)
                if not value:
                    return None
                values[slot] = value
        text = pattern.format(**values)
        return text[:1].upper() + text[1:]

    def _opening(self, count: int, wish: Wish) -> list[str]:
        most = "one" if count == 1 else "many"
        kind = "given_up_" if wish.given_up else ""
        if not kind and self.chance.random() < 0.45:
            return []
        if not kind and wish.likes:
            kind = "likes_"
        elif not kind and wish.topic and self.chance.random() < 0.6:
            kind = "topic_"
        topic = wish.topic
        pattern = self.chance.choice(self.patterns.opening[kind + most])
        capital = {"Topic": topic[:1].upper() + topic[1:], "Likes": wish.likes[:1].upper() + wish.likes[1:]}
        return [pattern.format(n=NUMBERS[count], topic=topic, likes=wish.likes, noun=self.noun, **capital)]

    def _alike(self, shared: Known, count: int) -> list[str]:
        """A sentence on what all picks have in common."""
        if (not shared.facts and not shared.liked) or self.chance.random() < 0.35:
            return []
        sentence = self._any(self.patterns.alike, [shared], n=NUMBERS[count])
        return [] if sentence is None else [sentence]

    def _body(self, picks: Sequence[Known]) -> list[str] | None:
        body, start = [], 0
        shape = self.chance.choice(SHAPES[len(picks)])
        for place, size in enumerate(shape):
            if len(picks) == 1:
                patterns, group = self.patterns.one["first" if place == 0 else "again"], picks
            else:
                patterns, group = self._patterns(size, start, len(picks)), picks[start : start + size]
            start += size
            sentence = self._any(patterns, group)
            if sentence is None:
                return None
            body.append(sentence)
        return body

    def _patterns(self, size: int, start: int, count: int) -> list[str]:
        if size == 1:
            return self.patterns.one["first" if start == 0 else "last" if start == count - 1 else "next"]
        return self.patterns.two["next" if start else "first"] if size == 2 else self.patterns.three

    def _any(self, patterns: Sequence[str], group: Sequence[Known], **values: str) -> str | None:
        for pattern in self.chance.sample(patterns, len(patterns)):
            kept = list(self.said)
            sentence = self.fill(pattern, group, **values)
            if sentence is not None:
                return sentence
            self.said = kept
        return None

    def _slot(self, name: str, slot: str, known: Known, many: bool, pattern: str) -> str | None:
        if name == "t":
            year_said = "{np" in pattern  # the noun phrase may give the year
            return known.pick.item.title if year_said or self.chance.random() < 0.6 else known.pick.name
        if name == "np":
            attributes = self._attributes(known) if many else ()
            found = noun_phrase(known, self.wording, self.noun, self.chance, self.said, attributes)
            if found is None:
                return None
            self.said += found[1]
            return found[0]
        if name == "d":
            found_clauses = list(clauses(known.text, 15 if many else 24))
            if not found_clauses or ("text", known.text) in self.said:
                return None
            self.said.append(("text", known.text))
            return self.chance.choice(found_clauses)
        if name == "post":
            said = self._fact(known, "post", ())
            return None if said is None else f" {said}"
        if name == "pred":
            return self._fact(known, "pred", self._attributes(known) if many else ())
        raise KeyError(f"{{{slot}}}")

    def _fact(self, known: Known, slot: str, free: Sequence[str]) -> str | None:
        """One fact in words, of a column spoken of least so far; evidence, which stands first, more likely."""
        found = []
        for place, fact in enumerate(known.facts):
            forms = self.wording.forms(fact.column, fact.values[0])
            ways = forms.post if slot == "post" else forms.pred
            value = self.chance.choice(fact.values) if forms.lower else ", ".join(fact.values)
            times = sum(column == fact.column for column, _ in self.said)
            if ways and times < 2 and fact.column not in free and (fact.column, value) not in self.said:
                weight = times + self.chance.random() * 0.9 + 0.1 * place
                if sayable(fact, forms):
                    found.append((weight, fact, forms, ways, value))
        if not found:
            return None
        _, fact, forms, ways, value = min(found, key=lambda entry: entry[0])
        self.said.append((fact.column, value))
        return fact.say(self.chance.choice(ways), forms, self.noun, value if forms.lower else None)

    def _attributes(self, known: Known) -> list[str]:
        """Columns of attributes: in a sentence about two items they would have to hold for both."""
        return [fact.column for fact in known.facts if self.wording.forms(fact.column, fact.values[0]).lower]

    def _both(self, picks: Sequence[Known]) -> str | None:
        """What is true of all picks, as a predicate."""
        found = []
        for fact in picks[0].facts:
            others = [other.fact(fact.column) for other in picks[1:]]
            forms = self.wording.forms(fact.column, fact.values[0])
            common = [
                value for value in fact.values if all(other is not None and value in other.values for other in others)
            ]
            if common and forms.both and sayable(fact, forms):
                value = self.chance.choice(common)
                if (fact.column, value) not in self.said:
                    said = fact.say(self.chance.choice(forms.both), forms, self.noun, value)
                    found.append((said, (fact.column, value)))
        if not found:
            return None
        said, saying = self.chance.choice(found)
        self.said.append(saying)
        return said

    def _liked(self, picks: Sequence[Known]) -> str | None:
        """What people who like all these picks liked, if it is said of each; once in a reply."""
        liked = picks[0].liked
        if not liked or any(pick.liked != liked for pick in picks) or ("liked", liked) in self.said:
            return None
        self.said.append(("liked", liked))
        return liked


def titles(pick_names: Sequence[str]) -> str:
    """ "Heat and Alien"."""
    return " and ".join([", ".join(pick_names[:-1]), pick_names[-1]] if len(pick_names) > 1 else pick_names)
