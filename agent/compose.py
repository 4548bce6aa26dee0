"""What a reply may say next: sentences composed from hand-written patterns and the evidence of the picks alone.

A reply comes about sentence by sentence. A composer offers what may come next, whoever tells it (the writer in a
chat, the maker of its examples in training) sends back which of it is said, and the composer goes on from there.
"""

import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from pydantic import BaseModel, ConfigDict

from agent.evidence import Pick
from agent.facts import attribute_stems, stems
from agent.wording import (
    NUMBER,
    SLOT,
    Forms,
    Known,
    Saying,
    Wording,
    all_known,
    article,
    clauses,
    first_sentence,
    known,
    noun_phrase,
    read_patterns,
    sayable,
)
from tools.schema import Manifest

SPOKEN = 3  # picks that a recommending reply speaks of; the screen shows the rest
PATTERNS = (2, 2, 1)  # that offer sentences about one pick, two, three
VARIANTS = 4  # sentences by one pattern
ALIKE = 0.85  # share of replies that say what all picks have in common, where there is something
CLOSING = 0.3  # share of replies with a last sentence
YEARS = 0.4  # share of titles with their year in a recommendation
CLAUSE = (24, 15)  # words at most that are told of an item's text, alone and beside others
ANSWERS = 3  # ways that one answer is offered in
KINDS = ("about", "year", "unknown", "here")  # what may be asked of any pick, beside its columns
NUMBERS = ("no", "one", "two", "three", "four", "five")


About = tuple[str, int, str]
NOTHING: About = ("", 0, "")


class Replies(BaseModel):
    """prompts/replies.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening: dict[str, list[str]]
    alike: dict[str, list[str]]
    one: dict[str, list[str]]
    two: dict[str, list[str]]
    three: list[str]
    closing: dict[str, list[str]]
    answers: dict[str, list[str]]
    chat: dict[str, list[str]]


@dataclass(frozen=True)
class Phrases:
    """What every reply about one catalog is composed of; read once."""

    replies: Replies
    wording: Wording
    attributes: frozenset[str]  # stems of what must hold for all picks of a sentence, as the check has it

    @classmethod
    def read(cls, manifest: Manifest, neutral: frozenset[str]) -> Self:
        """`neutral` are the words that state nothing about an item (agent/facts.py)."""
        wording = read_patterns("prompts", "columns.yaml", Wording).backed(manifest, neutral)
        return cls(read_patterns("prompts", "replies.yaml", Replies), wording, attribute_stems(manifest, neutral))


@dataclass(frozen=True)
class Offer:
    """A sentence that may come next.

    `about` is its kind, the place of its pick and the column it is on, as far as it has them; `size` is the number of
    picks it speaks of, and `said` what the whole reply has said with it. What is `silent` only the writer reads: it
    settles what is to be answered before a word of the answer is out.
    """

    text: str
    about: About = NOTHING
    size: int = 0
    said: tuple[Saying, ...] = ()
    silent: bool = False


Parts = Generator[Sequence[Offer], Offer, None]  # offers what may come next, and is sent what is said


@dataclass
class Composer:
    """Fills patterns. `said` is what this reply has said so far, so that no sentence repeats another; `names` is how it
    calls each pick, with the year or without.
    """

    phrases: Phrases
    noun: str
    chance: random.Random
    said: list[Saying] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, phrases: Phrases, manifest: Manifest, chance: random.Random, noun: str = "") -> Self:
        """For a catalog; `noun` is another word for its items."""
        return cls(phrases, noun or manifest.noun, chance)

    def recommended(self, picks: Sequence[Pick], likes: Sequence[str] = (), given_up: bool = False) -> Parts:
        """An opening, sentences that name each of the first SPOKEN picks with a reason, and now and then a last one.

        `likes` are the titles the wish is about. A pick of which nothing is known is passed over.
        """
        shared, told = known(picks[:SPOKEN])
        filled = [
            next(filter(self._tellable, (self._weighty(one), one, self._with_numbers(one, shared))), None)
            for one in told
        ]
        told = [one for one in filled if one is not None]
        if not told:
            return
        self._name(picks[:SPOKEN], YEARS)
        replies, many = self.phrases.replies, "one" if len(told) == 1 else "many"
        yield [self._opening(many, len(told), likes, given_up)]
        if (shared.facts or shared.liked) and self.chance.random() < ALIKE:
            patterns = replies.alike["two" if len(told) == 2 else "many"]
            alike = list(self._tried(patterns, [shared], 1, n=NUMBERS[len(told)]))
            if alike:
                offer = yield alike[:1]
                self.said = list(offer.said)
        start = 0
        while start < len(told):
            offers = list(self._next(told, start))
            if offers:
                offer = yield offers
                self.said = list(offer.said)
            start += offer.size if offers else 1
        if len(told) == 1:
            offers = list(self._tried(replies.one["again"], told, 2 * PATTERNS[0]))
            if offers:
                yield offers
        if self.chance.random() < CLOSING:
            yield [Offer(self.chance.choice(replies.closing[many]))]

    def answered(self, picks: Sequence[Pick]) -> Parts:
        """What the question is about: a column of a pick, or which pick has most of something. Then one sentence."""
        told = all_known(picks)
        self._name(picks, 0.0)
        columns = list(dict.fromkeys(fact.column for one in told for fact in one.facts))
        asked: dict[str, About] = {}
        for place in range(len(told)):
            abouts = [("fact", column) for column in columns] + [(kind, "") for kind in KINDS]
            for kind, column in abouts:
                asked.setdefault(f"{place + 1} {column or kind}:", (kind, place, column))
        for about in self._most(told):
            asked.setdefault(f"{about[2].partition(': ')[2]}:", about)
        offer = yield [Offer(text, about, silent=True) for text, about in asked.items()]
        one = told[offer.about[1]]
        unknown = self.phrases.replies.answers["unknown"]
        answers = list(self._answers(one, offer.about)) or list(self._filled(unknown, one, offer.about))
        yield self.chance.sample(answers, min(ANSWERS, len(answers)))

    def chatted(self) -> Parts:
        """What kind of small talk it is, and a sentence for it, or two."""
        chat = self.phrases.replies.chat
        offer = yield [Offer(f"{kind.replace('_', ' ')}:", (kind, 0, ""), silent=True) for kind in chat]
        texts = self.chance.sample(chat[offer.about[0]], ANSWERS)
        yield [Offer(text.format(noun=self.noun, a=article(self.noun)), offer.about) for text in texts]

    def _name(self, picks: Sequence[Pick], years: float) -> None:
        """Titles, that share of them with their year, and each that two picks have."""
        titles = [pick.item.title for pick in picks]
        for pick in picks:
            dated = titles.count(pick.item.title) > 1 or self.chance.random() < years
            self.names[pick.item.row] = pick.name if dated else pick.item.title

    def _weighty(self, one: Known) -> Known:
        """Without what nobody picks an item for, unless it came for that."""
        asked = {why.partition(": ")[0].replace("_", " ") for why in one.pick.why}
        forms = {fact.column: self.phrases.wording.forms(fact.column, fact.values[0]) for fact in one.facts}
        return replace(
            one, facts=tuple(fact for fact in one.facts if fact.column in asked or not forms[fact.column].aside)
        )

    def _tellable(self, one: Known) -> bool:
        """Whether there is anything to say of it."""
        if one.liked or next(clauses(one.text, CLAUSE[0]), ""):
            return True
        return any(
            (forms.pred or forms.post) and sayable(fact, forms)
            for fact in one.facts
            for forms in [self.phrases.wording.forms(fact.column, fact.values[0])]
        )

    def _with_numbers(self, one: Known, shared: Known) -> Known:
        """With all its facts that a wish could name (of a count of votes nobody does) and that are not said of all."""
        facts = [fact for fact in all_known([one.pick])[0].facts if shared.fact(fact.column) is None]
        forms = [self.phrases.wording.forms(fact.column, fact.values[0]) for fact in facts]
        return replace(
            one,
            facts=tuple(fact for fact, form in zip(facts, forms, strict=True) if form.post or form.under or form.over),
        )

    def _opening(self, many: str, count: int, likes: Sequence[str], given_up: bool) -> Offer:
        kind = "given_up_" if given_up else "likes_" if likes and self.chance.random() < 0.5 else ""
        pattern = self.chance.choice(self.phrases.replies.opening[kind + many])
        titles = listed(likes)
        capital = titles[:1].upper() + titles[1:]
        return Offer(pattern.format(n=NUMBERS[count], likes=titles, Likes=capital, noun=self.noun))

    def _next(self, told: Sequence[Known], start: int) -> Iterator[Offer]:
        """Sentences about the next pick, about the next two, and about the next three."""
        replies, left = self.phrases.replies, len(told) - start
        place = "first" if start == 0 else "last" if left == 1 else "next"
        yield from self._tried(replies.one[place], told[start : start + 1], PATTERNS[0])
        if left >= 2:
            yield from self._tried(replies.two["next" if start else "first"], told[start : start + 2], PATTERNS[1])
        if left >= 3:
            yield from self._tried(replies.three, told[start : start + 3], PATTERNS[2])

    def _tried(self, patterns: Sequence[str], group: Sequence[Known], most: int, **values: str) -> Iterator[Offer]:
        """Sentences by as many patterns as that, drawn from those that this group has something for."""
        for pattern in self.chance.sample(patterns, len(patterns)):
            offers = list(self._variants(pattern, group, **values))
            yield from offers
            most -= bool(offers)
            if not most:
                return

    def _variants(self, pattern: str, group: Sequence[Known], **values: str) -> Iterator[Offer]:
        """The pattern filled some times, each text once."""
        kept, texts = self.said, set[str]()
        for _ in range(VARIANTS):
            self.said = list(kept)
            text = self.fill(pattern, group, **values)
            if text is not None and text not in texts:
                texts.add(text)
                yield Offer(text, size=len(group), said=tuple(self.said))
        self.said = kept

    def _answers(self, one: Known, about: About) -> Iterator[Offer]:
        """Sentences that answer what is asked about this pick, in each way; none where the catalog does not say."""
        kind, _, column = about
        patterns = self.phrases.replies.answers[kind]
        if kind in ("fact", "most"):
            fact = one.fact(column.partition(":")[0])
            forms = self.phrases.wording.forms(fact.column, fact.values[0]) if fact is not None else Forms()
            if fact is None or not sayable(fact, forms):
                return
            first = replace(one, facts=(fact, *(other for other in one.facts if other != fact)))
            for pred in forms.pred:
                said = fact.say(pred, forms, self.noun)
                yield from self._filled(patterns, first, about, pred=said, most=column.partition(": ")[2])
        elif kind == "year":
            if one.pick.item.year is not None:
                yield from self._filled(patterns, one, about, y=str(one.pick.item.year))
        else:
            offers = list(self._filled(patterns, one, about))
            if kind == "about" and not offers:
                offers = list(self._filled(self.phrases.replies.answers["text"], one, about))
            yield from offers

    def _filled(self, patterns: Sequence[str], one: Known, about: About, **values: str) -> Iterator[Offer]:
        for pattern in patterns:
            self.said = []
            text = self.fill(pattern, [one], **values)
            if text is not None:
                yield Offer(text, about, 1)

    def _most(self, told: Sequence[Known]) -> Iterator[About]:
        """ "The shortest": for a number that every pick gives, the one that stands alone at an end."""
        for fact in told[0].facts if len(told) > 1 else ():
            facts = [other for one in told if (other := one.fact(fact.column)) and NUMBER.fullmatch(other.values[0])]
            if len(facts) < len(told):
                continue
            numbers = [float(each.values[0]) for each in facts]
            forms = self.phrases.wording.forms(fact.column, fact.values[0])
            for words, best in ((forms.low, min(numbers)), (forms.high, max(numbers))):
                if numbers.count(best) == 1:
                    yield from (("most", numbers.index(best), f"{fact.column}: {most}") for most in words)

    def fill(self, pattern: str, picks: Sequence[Known], **values: str) -> str | None:
        """A pattern with the titles and reasons of its picks; None when one of them has nothing for a slot."""
        many = len(picks) > 1
        for number, pick in enumerate(picks, start=1):
            mark = str(number) if many else ""
            for slot in dict.fromkeys(SLOT.findall(pattern)):
                name = slot.rstrip("0123456789")
                if slot in values or (many and not slot.endswith(mark)) or name in ("liked", "both"):
                    continue
                value = self._slot(name, pick, many)
                if value is None:
                    return None
                values[slot] = value
        for slot in ("liked", "both"):
            if f"{{{slot}}}" in pattern:
                common = self._both(picks) if slot == "both" else self._liked(picks)
                if not common:
                    return None
                values[slot] = common
        text = pattern.format(**values)
        return text[:1].upper() + text[1:]

    def _slot(self, name: str, known: Known, many: bool) -> str | None:  # noqa: PLR0911 (one a slot)
        if name == "t":
            return self.names[known.pick.item.row]
        if many:
            known = self._apart(known)
        if name == "np":
            dated = self.names[known.pick.item.row] != known.pick.item.title
            found = noun_phrase(known, self.phrases.wording, self.noun, self.chance, self.said, dated)
            if found is None:
                return None
            self.said += found[1]
            return found[0]
        if name == "d":
            found_clauses = [
                clause
                for clause in clauses(known.text, CLAUSE[many])
                if not (many and stems(clause) & self.phrases.attributes)
            ]
            if not found_clauses or ("text", known.text) in self.said:
                return None
            self.said.append(("text", known.text))
            return self.chance.choice(found_clauses)
        if name == "s":
            return first_sentence(known.text) or None
        if name == "post":
            said = self._fact(known, "post")
            return None if said is None else f" {said}"
        if name == "pred":
            return self._fact(known, "pred")
        raise KeyError(f"{{{name}}}")

    def _apart(self, known: Known) -> Known:
        """For a sentence that speaks of others, too: without what would have to be true of them."""
        facts = [
            replace(fact, values=values)
            for fact in known.facts
            if (values := tuple(value for value in fact.values if not stems(value) & self.phrases.attributes))
        ]
        return replace(known, facts=tuple(facts))

    def _fact(self, known: Known, slot: str) -> str | None:
        """One fact in words, of a column spoken of least so far; evidence, which stands first, more likely."""
        found = []
        for place, fact in enumerate(known.facts):
            forms = self.phrases.wording.forms(fact.column, fact.values[0])
            ways = forms.post if slot == "post" else forms.pred
            value = self.chance.choice(fact.values) if forms.lower else ", ".join(fact.values)
            times = sum(column == fact.column for column, _ in self.said)
            if ways and times < SPOKEN and (fact.column, value) not in self.said:
                weight = times + self.chance.random() * 0.9 + 0.1 * place
                if sayable(fact, forms):
                    found.append((weight, fact, forms, ways, value))
        if not found:
            return None
        _, fact, forms, ways, value = min(found, key=lambda entry: entry[0])
        self.said.append((fact.column, value))
        return fact.say(self.chance.choice(ways), forms, self.noun, value if forms.lower else None)

    def _both(self, picks: Sequence[Known]) -> str | None:
        """What is true of all picks, as a predicate."""
        found = []
        for fact in picks[0].facts:
            others = [other.fact(fact.column) for other in picks[1:]]
            forms = self.phrases.wording.forms(fact.column, fact.values[0])
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


def listed(titles: Sequence[str]) -> str:
    """ "Heat and Alien"."""
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)
