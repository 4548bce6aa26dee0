"""The writer's training data: wishes run through a catalog's tools, and replies composed from what came back.

A reply is told as the product tells it (agent/compose.py), but that what is said is chosen by knowing what was asked
for: of a recommendation's sentences those that take up most of the wish and of the reasons the picks came, of the
answers one to the question.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ConfigDict

from agent.compose import SPOKEN, Composer, Offer, Parts, Phrases
from agent.evidence import Pick, gather
from agent.facts import Checker, neutral_words, stems
from agent.memory import Profile
from agent.messages import answer_messages, chat_messages, writer_messages
from agent.plan import Plan
from agent.pool import Pool, fuse, run_calls
from agent.wording import all_known, read_patterns
from finetune.example import Example
from finetune.wishes import Wishes, WishPatterns
from tools import registry
from tools.catalog import Catalog

COUNTS = {1: 15, 2: 20, 3: 65}  # picks that a reply speaks of, with weights; three is what a turn speaks of
KINDS = {"recommend": 40, "answer": 42, "chat": 18}  # shares in percent
ASKED = {"fact": 40, "about": 16, "year": 8, "most": 14, "unknown": 12, "here": 10}  # kinds of questions, in percent
ABSENT = ("cast", "country", "language", "mpaa", "setting_period", "setting_place")  # asked for where nobody has them
SHORT = 4  # letters at least of a title that is not given whole
DEPTH = 16  # of the fused order that picks are drawn from
TRIES = 12  # of one situation until it gives a reply that passes the check
Good = Callable[[Offer], float]  # how well an offer answers; below 0 it does not


class Patterns(WishPatterns):
    """writer.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: dict[str, list[str]]
    says: dict[str, list[str]]


@dataclass
class Tally:
    """How many composed sentences the checker saw and let through."""

    composed: int = 0
    passed: int = 0


@dataclass(frozen=True)
class Maker:
    """What all examples of one run share."""

    catalog: Catalog
    patterns: Patterns
    phrases: Phrases
    chance: random.Random
    neutral: frozenset[str]
    tally: Tally

    @property
    def noun(self) -> str:
        return self.catalog.manifest.noun

    def composer(self) -> Composer:
        names = [self.noun, self.noun, *self.phrases.wording.nouns.get(self.noun, [])]
        return Composer.of(self.phrases, self.catalog.manifest, self.chance, self.chance.choice(names))

    def told(self, parts: Parts, picks: Sequence[Pick], said: str, good: Good) -> str | None:
        """The reply of the best offers that the check of the product lets through; None where there is none."""
        documents = self.catalog.documents([pick.item.row for pick in picks])
        checker = Checker(self.catalog.manifest, tuple(picks), documents, said, self.neutral)
        written, text = "", ""
        offers = list(next(parts, ()))
        while True:
            ranked = sorted(offers, key=lambda offer: -good(offer) - self.chance.random())
            offer = next((one for one in ranked if good(one) >= 0 and self._passes(checker, text, one)), None)
            if offer is None:
                return None
            written += (" " if written else "") + offer.text
            text += "" if offer.silent else f" {offer.text}"
            try:
                offers = list(parts.send(offer))
            except StopIteration:
                return written

    def _passes(self, checker: Checker, before: str, offer: Offer) -> bool:
        if offer.silent:
            return True
        self.tally.composed += 1
        good = not checker.check(f"{before} {offer.text}")
        self.tally.passed += good
        return good


def writer_examples(catalog: Catalog, seed: int, count: int, tally: Tally | None = None) -> Iterator[Example]:
    """`count` examples that `seed` and the catalog decide; every reply passes agent.facts.Checker."""
    chance = random.Random(seed)
    patterns = read_patterns("finetune", "data/writer.yaml", Patterns)
    neutral = neutral_words()
    phrases = Phrases.read(catalog.manifest, neutral)
    maker = Maker(catalog, patterns, phrases, chance, neutral, tally or Tally())
    make = {"recommend": _recommend, "answer": _answer, "chat": _chat}
    made = 0
    while made < count:
        kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
        example = make[kind](maker)
        if example is not None:
            made += 1
            yield example.model_copy(update={"id": f"writer-{seed}-{made}"})


def _recommend(maker: Maker) -> Example | None:
    """A wish, its calls, some of what they found."""
    wish = Wishes(maker.catalog, maker.phrases.wording, maker.patterns, maker.chance).draw()
    pool = Pool(np.ones(len(maker.catalog), dtype=np.bool_), np.zeros(len(maker.catalog), dtype=np.bool_))
    for _ in run_calls(maker.catalog, Plan(act="recommend", calls=tuple(wish.calls)), Profile(), pool):
        pass
    rows, scores = fuse(pool, maker.catalog.popularity)
    count = min(maker.chance.choices(list(COUNTS), list(COUNTS.values()))[0], len(rows), SPOKEN)
    if not count:
        return None
    places = sorted(maker.chance.sample(range(min(len(rows), max(DEPTH, count))), count))
    picks = gather(maker.catalog, rows[places], list(scores[places]), pool.ran)
    wanted = stems(" ".join([wish.said, *(why for pick in picks for why in pick.why)])) - maker.neutral
    wanted -= stems(" ".join(pick.item.title for pick in picks))

    def takes_up(offer: Offer) -> float:
        return len(wanted & stems(offer.text)) / max(offer.size, 1)

    reply = maker.told(maker.composer().recommended(picks, wish.likes, bool(pool.relaxed)), picks, wish.said, takes_up)
    if reply is None:
        return None
    messages = writer_messages(maker.noun, wish.said, picks, pool.relaxed)
    kind = f"recommend {count}{' given up' if pool.relaxed else ''}"
    return Example(role="writer", id="", kind=kind, messages=messages, answer=reply)


def _answer(maker: Maker) -> Example | None:
    """A question about the last items or one title, which come without evidence."""
    chance = maker.chance
    most = min(len(maker.catalog), 2000)
    if chance.random() < 0.5:
        rows = np.array(sorted(chance.sample(range(most), min(most, chance.randint(2, 5)))))
    else:
        title = str(maker.catalog.titles[chance.randrange(most)])
        rows = registry.call(maker.catalog, "title_lookup", {"title": title}).rows[:3]
    picks = gather(maker.catalog, rows, [0.0] * len(rows), [])
    for _ in range(TRIES):
        question, about = _question(maker, picks)
        if not question:
            continue
        said = _typed(question, chance)
        reply = maker.told(maker.composer().answered(picks), picks, said, _only(about))
        if reply is not None:
            messages = answer_messages(maker.noun, said, picks)
            return Example(role="writer", id="", kind=f"answer {about[0]}", messages=messages, answer=reply)
    return None


def _only(about: tuple[str, int, str]) -> Good:
    return lambda offer: float(offer.about == about) - 1


def _question(maker: Maker, picks: Sequence[Pick]) -> tuple[str, tuple[str, int, str]]:
    """A question and what its answer is about; an empty question where these picks have nothing for it."""
    chance, asks = maker.chance, maker.patterns.asks
    kind = chance.choices(list(ASKED), list(ASKED.values()))[0]
    place = chance.randrange(len(picks)) if chance.random() < 0.7 else 0
    which, about = _which(maker, picks, place), (kind, place, "")
    if kind == "most":
        offers = [one for one in next(maker.composer().answered(picks)) if one.about[0] == "most"]
        if not offers:
            return "", about
        about = chance.choice(offers).about
        return chance.choice(asks["most"]).format(most=about[2].partition(": ")[2]), about
    if kind == "here":
        which = picks[place].item.title if chance.random() < 0.7 else picks[place].item.title.lower()
    ways = asks.get(kind, [])
    told = all_known(picks)
    facts = {fact.column: fact for one in told for fact in one.facts}
    if kind == "fact" and facts:
        own = [fact.column for fact in told[place].facts]
        column = chance.choice(own if own and chance.random() < 0.85 else list(facts))
        about = (kind, place, column)
        ask = maker.phrases.wording.forms(column, facts[column].values[0]).ask
        ways = [way.replace("{c}", column) for way in ask]
    elif kind == "unknown" and chance.random() < 0.4:
        absent = [column for column in ABSENT if column.replace("_", " ") not in facts]
        ways = [way for column in absent for way in maker.phrases.wording.columns[column].ask]
    if not ways:
        return "", about
    return chance.choice(ways).format(which=which, noun=maker.noun), about


def _which(maker: Maker, picks: Sequence[Pick], place: int) -> str:
    """How a pick is asked about: by its title, by its place, or as the one that was spoken of."""
    chance = maker.chance
    if chance.random() < (0.4 if len(picks) == 1 else 0.1 if place == 0 else 0.0):
        return chance.choice(["it", "it", "that one", f"this {maker.noun}"])
    if len(picks) == 1 or chance.random() < 0.4:
        title = picks[place].item.title
        short = title.split(":")[0].removeprefix("The ")
        alone = sum(short in pick.item.title for pick in picks) == 1
        return short if alone and len(short) >= SHORT and chance.random() < 0.3 else title
    last = place + 1 == len(picks) and chance.random() < 0.5
    ordinal = "last" if last else maker.patterns.asks["ordinals"][place]
    noun = chance.choice(["one", "one", "one", maker.noun])
    return chance.choice([f"the {ordinal} {noun}", f"the {ordinal} {noun}", f"the {ordinal}", f"number {place + 1}"])


def _chat(maker: Maker) -> Example | None:
    """Small talk and the way back to the catalog."""
    kind = maker.chance.choice(list(maker.patterns.says))
    said = _typed(maker.chance.choice(maker.patterns.says[kind]), maker.chance)
    composer = Composer.of(maker.phrases, maker.catalog.manifest, maker.chance)
    reply = maker.told(composer.chatted(), (), said, lambda offer: float(offer.about[0] == kind) - 1)
    if reply is None:
        return None
    return Example(role="writer", id="", kind=f"chat {kind}", messages=chat_messages(maker.noun, said), answer=reply)


def _typed(text: str, chance: random.Random) -> str:
    """As people type: now and then without capitals or the last mark."""
    if chance.random() < 0.3:
        text = text.lower()
    if chance.random() < 0.3:
        text = text.rstrip("?.!")
    return text
