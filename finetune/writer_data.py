"""The writer's training data: wishes run through a catalog's tools, and replies composed from what came back."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.evidence import Pick, gather
from agent.facts import Checker, neutral_words
from agent.memory import Profile
from agent.messages import chat_messages, writer_messages
from agent.plan import Plan
from agent.pool import Pool, fuse, run_calls
from finetune.example import Example
from finetune.replies import Composer, Replies, Wish, titles
from finetune.wishes import Phrases, Wishes
from finetune.wording import NUMBER, Known, Wording, article, known, read_patterns
from tools import registry
from tools.catalog import Catalog

COUNTS = {1: 12, 2: 13, 3: 20, 4: 15, 5: 40}  # picks of a turn, with weights; five is what a turn shows
KINDS = {"recommend": 72, "answer": 14, "chat": 14}  # shares in percent
DEPTH = 16  # of the fused order that picks are drawn from
TRIES = 12  # replies composed for one situation until one passes the check


class Patterns(Replies, Phrases):
    """writer.yaml."""

    chat: dict[str, dict[str, list[str]]]


@dataclass
class Tally:
    """How many composed replies the checker saw and let through."""

    composed: int = 0
    passed: int = 0


@dataclass(frozen=True)
class Maker:
    """What all examples of one run share."""

    catalog: Catalog
    patterns: Patterns
    wording: Wording
    chance: random.Random
    neutral: frozenset[str]
    tally: Tally

    @property
    def noun(self) -> str:
        return self.catalog.manifest.noun

    def composer(self) -> Composer:
        names = [self.noun, self.noun, *self.wording.nouns.get(self.noun, [])]
        return Composer(self.patterns, self.wording, self.chance.choice(names), self.chance)

    def passes(self, reply: str | None, picks: Sequence[Pick], said: str) -> bool:
        """Whether the check of the product lets this reply through and it names every pick told of."""
        if reply is None:
            return False
        documents = self.catalog.documents([pick.item.row for pick in picks])
        checker = Checker(self.catalog.manifest, tuple(picks), documents, said, self.neutral)
        self.tally.composed += 1
        good = not checker.check(reply)
        self.tally.passed += good
        return good


def writer_examples(catalog: Catalog, seed: int, count: int, tally: Tally | None = None) -> Iterator[Example]:
    """`count` examples that `seed` and the catalog decide; every reply passes agent.facts.Checker."""
    chance = random.Random(seed)
    patterns, wording = read_patterns("writer", Patterns), read_patterns("columns", Wording)
    maker = Maker(catalog, patterns, wording, chance, neutral_words(), tally or Tally())
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
    wish = Wishes(maker.catalog, maker.wording, maker.patterns, maker.chance).draw()
    pool = Pool(np.ones(len(maker.catalog), dtype=np.bool_), np.zeros(len(maker.catalog), dtype=np.bool_))
    for _ in run_calls(maker.catalog, Plan(act="recommend", calls=tuple(wish.calls)), Profile(), pool):
        pass
    rows, scores = fuse(pool, maker.catalog.popularity)
    count = min(maker.chance.choices(list(COUNTS), list(COUNTS.values()))[0], len(rows))
    if not count:
        return None
    places = sorted(maker.chance.sample(range(min(len(rows), max(DEPTH, count))), count))
    picks = gather(maker.catalog, rows[places], list(scores[places]), pool.ran)
    shared, read = known(picks)
    about = Wish(wish.topic, titles(wish.likes) if wish.likes else "", bool(pool.relaxed))
    for _ in range(TRIES):
        reply = maker.composer().reply(read, shared, about)
        if reply is not None and maker.passes(reply, picks, wish.said):
            messages = writer_messages(maker.noun, wish.said, picks, pool.relaxed)
            kind = f"recommend {count}{' given up' if pool.relaxed else ''}"
            return Example(role="writer", id="", kind=kind, messages=messages, answer=reply)
    return None


def _answer(maker: Maker) -> Example | None:
    """A question about the last items or one title, which come without evidence."""
    chance, answers = maker.chance, maker.patterns.answers
    most = min(len(maker.catalog), 2000)
    if chance.random() < 0.5:
        rows = np.array(sorted(chance.sample(range(most), min(most, chance.randint(2, 5)))))
    else:
        title = str(maker.catalog.titles[chance.randrange(most)])
        rows = registry.call(maker.catalog, "title_lookup", {"title": title}).rows[:3]
    picks = gather(maker.catalog, rows, [0.0] * len(rows), [])
    _, read = known(picks)
    place = chance.randrange(len(picks)) if len(picks) > 1 and chance.random() < 0.6 else 0
    which = picks[place].item.title
    if len(picks) > 1 and chance.random() < 0.5:
        ordinal = answers["ordinals"][place] if place + 1 < len(picks) or chance.random() < 0.5 else "last"
        which = f"the {ordinal} one"
    for _ in range(TRIES):
        asked = _question(maker, read, place, which)
        if asked is not None and maker.passes(asked[1], picks, asked[0]):
            messages = writer_messages(maker.noun, asked[0], picks, ())
            return Example(role="writer", id="", kind=f"answer {asked[2]}", messages=messages, answer=asked[1])
    return None


def _question(maker: Maker, read: Sequence[Known], place: int, which: str) -> tuple[str, str, str] | None:
    """A question, its answer and its kind; None when this item has nothing for it."""
    chance, answers, about = maker.chance, maker.patterns.answers, read[place]
    kind = chance.choices(["fact", "about", "year", "most", "missing", "have"], [34, 20, 8, 14, 12, 12])[0]
    if kind == "most":
        return _superlative(maker, read)
    composer, asks, values = maker.composer(), [], {}
    if kind == "fact":
        facts = [fact for fact in about.facts if maker.wording.forms(fact.column, fact.values[0]).pred]
        if not facts:
            return None
        fact = chance.choice(facts)
        forms = maker.wording.forms(fact.column, fact.values[0])
        asks = [ask.replace("{c}", fact.column) for ask in forms.ask]
        about = replace(about, facts=(fact, *(other for other in about.facts if other != fact)))
        values = {"pred": fact.say(chance.choice(forms.pred), forms, composer.noun)}
    elif kind == "year":
        if about.pick.item.year is None:
            return None
        values = {"y": str(about.pick.item.year)}
    elif kind == "have":
        which = about.pick.item.title if chance.random() < 0.7 else about.pick.item.title.lower()
    asks = asks or answers.get(f"{kind}_ask", [])
    if not asks:
        return None
    question = chance.choice(asks).format(which=which, noun=composer.noun)
    answer = composer.fill(chance.choice(answers[kind]), [about], **values)
    return None if answer is None else (_typed(question, chance), answer, kind)


def _superlative(maker: Maker, read: Sequence[Known]) -> tuple[str, str, str] | None:
    """ "Which is the shortest?" over a number that every item gives."""
    found: list[tuple[str, Known, str]] = []
    chance, composer = maker.chance, maker.composer()
    for fact in read[0].facts if len(read) > 1 else ():
        if not NUMBER.fullmatch(fact.values[0]):
            continue
        others = [other.fact(fact.column) for other in read]
        values = [float(other.values[0]) for other in others if other is not None]
        forms = maker.wording.forms(fact.column, fact.values[0])
        if len(values) < len(read):
            continue
        for words, best in ((forms.low, min(values)), (forms.high, max(values))):
            if words and values.count(best) == 1:
                winner = read[values.index(best)]
                said = winner.fact(fact.column)
                if said is not None:
                    found.append(
                        (chance.choice(words), winner, said.say(chance.choice(forms.pred), forms, composer.noun))
                    )
    if not found:
        return None
    most, winner, pred = chance.choice(found)
    question = chance.choice(maker.patterns.answers["most_ask"]).format(most=most)
    answer = composer.fill(chance.choice(maker.patterns.answers["most"]), [winner], most=most, pred=pred)
    return None if answer is None else (_typed(question, chance), answer, "most")


def _chat(maker: Maker) -> Example | None:
    """Small talk and the way back to the catalog."""
    kind = maker.chance.choice(list(maker.patterns.chat))
    group = maker.patterns.chat[kind]
    said = _typed(maker.chance.choice(group["says"]), maker.chance)
    noun = maker.noun
    reply = maker.chance.choice(group["replies"]).format(noun=noun, a=article(noun))
    if not maker.passes(reply, (), said):
        return None
    return Example(role="writer", id="", kind=f"chat {kind}", messages=chat_messages(noun, said), answer=reply)


def _typed(text: str, chance: random.Random) -> str:
    """As people type: now and then without capitals or the last mark."""
    if chance.random() < 0.3:
        text = text.lower()
    if chance.random() < 0.3:
        text = text.rstrip("?.!")
    return text
