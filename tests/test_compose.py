"""Replies composed from the evidence: what is offered is true, and the writer chooses where offers part."""

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.choose import WORD, choose
from agent.compose import SPOKEN, Composer, Offer, Parts, Phrases
from agent.events import Text
from agent.evidence import Pick, gather
from agent.facts import Checker, neutral_words
from agent.llm import Message, Request, by_first_token
from agent.loop import Agent, run_turn
from agent.memory import Session
from agent.messages import answer_messages
from agent.settings import Settings
from agent.write import tell
from finetune.writer_data import writer_examples
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog

ASKED = (Message("user", "Wish: a comedy"),)


@pytest.fixture(scope="module")
def phrases(tiny_catalog: Catalog) -> Phrases:
    return Phrases.read(tiny_catalog.manifest, neutral_words())


def words_of(request: Request) -> list[str]:
    """What a grammar of choices lets through."""
    return (request.grammar or "").split('"')[1::2]


class Leaning(ScriptedEngine):
    """Goes for `text` wherever it is asked."""

    def __init__(self, text: str) -> None:
        super().__init__(roles=["writer"])
        self.text = text

    def stream(self, request: Request) -> Iterator[str]:
        self.requests.append(request)
        rest = self.text.removeprefix(request.begun).strip()
        yield from [word for word in sorted(words_of(request), key=len) if rest.startswith(word.strip())][-1:]


class Wayward(ScriptedEngine):
    """Goes anywhere."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(roles=["writer"])
        self.chance = chance

    def stream(self, request: Request) -> Iterator[str]:
        yield self.chance.choice(words_of(request))


class Unbound(ScriptedEngine):
    """Writes on, whatever the grammar: a server that knows none."""

    def stream(self, request: Request) -> Iterator[str]:
        self.requests.append(request)
        yield from self.texts


def picks_of(catalog: Catalog, rows: Sequence[int]) -> tuple[Pick, ...]:
    return tuple(gather(catalog, list(rows), [0.0] * len(rows), []))


def checker_of(catalog: Catalog, picks: tuple[Pick, ...], said: str = "") -> Checker:
    documents = catalog.documents([pick.item.row for pick in picks])
    return Checker(catalog.manifest, picks, documents, said, neutral_words())


def every(parts: Parts, chance: random.Random) -> Iterator[Sequence[Offer]]:
    """All that is offered on one way through a reply."""
    offers = next(parts, ())
    while offers:
        yield offers
        try:
            offers = parts.send(chance.choice(offers))
        except StopIteration:
            return


@given(st.lists(st.integers(0, 39), min_size=1, max_size=5, unique=True), st.integers(0, 999))
def test_whatever_is_chosen_is_true_and_names_the_picks(
    tiny_catalog: Catalog, phrases: Phrases, rows: list[int], seed: int
) -> None:
    picks, chance, notes = picks_of(tiny_catalog, rows), random.Random(seed), list[str]()
    checker = checker_of(tiny_catalog, picks)
    parts = Composer.of(phrases, tiny_catalog.manifest, chance).recommended(picks)
    reply = "".join(tell(Wayward(chance), ASKED, parts, checker, "plain", notes))
    assert checker.check(reply) == []
    assert notes[-1] in ("writer", "writer: rewritten")
    assert set(checker.named(reply)) <= set(range(SPOKEN))


def test_nearly_all_that_is_offered_passes_the_check(tiny_catalog: Catalog, phrases: Phrases) -> None:
    """The rest, such as an attribute in the text of one of two picks, costs another choice."""
    refused, offered = 0, 0
    for seed in range(90):
        chance = random.Random(seed)
        picks = picks_of(tiny_catalog, chance.sample(range(40), chance.randint(1, 3)))
        checker = checker_of(tiny_catalog, picks)
        parts = Composer.of(phrases, tiny_catalog.manifest, chance).recommended(picks)
        for offers in every(parts, chance):
            offered += len(offers)
            refused += sum(bool(checker.unsupported(offer.text, tuple(range(len(picks))))) for offer in offers)
    assert offered > 1000
    assert refused < 0.03 * offered


def test_a_question_is_answered_by_what_the_catalog_holds_and_by_no_more(
    tiny_catalog: Catalog, phrases: Phrases
) -> None:
    picks = picks_of(tiny_catalog, [0, 1, 2])
    for place, pick in enumerate(picks):
        told = answers(tiny_catalog, phrases, picks, f"{place + 1} director:")
        assert all(pick.item.title in text and str(pick.item.values["director"]) in text for text in told)
        assert all(str(pick.item.year) in text for text in answers(tiny_catalog, phrases, picks, f"{place + 1} year:"))
        for kind in ("about", "here", "unknown"):
            assert all(
                pick.item.title in text for text in answers(tiny_catalog, phrases, picks, f"{place + 1} {kind}:")
            )
    shortest = min(picks, key=lambda pick: float(str(pick.item.values["runtime"])))
    for text in answers(tiny_catalog, phrases, picks, "shortest:"):
        assert shortest.item.title in text
        assert str(shortest.item.values["runtime"]) in text
    read = answer_messages("film", "who made the second one?", picks)[1].content
    assert "2. " + picks[1].name in read
    assert "director" in read
    assert str(picks[1].item.values["director"]) not in read  # what is chosen is what is asked about, and not its value


def answers(catalog: Catalog, phrases: Phrases, picks: Sequence[Pick], asked: str) -> list[str]:
    """What is offered once the question is taken to be about that."""
    parts = Composer.of(phrases, catalog.manifest, random.Random(1)).answered(picks)
    (about,) = [offer for offer in next(parts) if offer.text == asked]
    assert about.silent
    told = [offer.text for offer in parts.send(about)]
    assert told
    return told


def test_what_the_catalog_does_not_hold_of_an_item_is_said_to_be_unknown(
    tiny_catalog: Catalog, phrases: Phrases
) -> None:
    """Another item's column may be asked for, and there is nothing to say of this one's."""
    full, bare = picks_of(tiny_catalog, [0, 1])
    bare = replace(bare, item=replace(bare.item, values=bare.item.values | {"director": None}))
    told = answers(tiny_catalog, phrases, [full, bare], "2 director:")
    assert all(bare.item.title in text for text in told)
    assert all(re.search(r"not say|not know|nothing|can't|no such", text) for text in told)


def test_what_an_answer_is_about_is_settled_first_and_not_said(tiny_catalog: Catalog, phrases: Phrases) -> None:
    picks, notes = picks_of(tiny_catalog, [0, 1, 2]), list[str]()
    engine = Leaning("2 director:")
    parts = Composer.of(phrases, tiny_catalog.manifest, random.Random(1)).answered(picks)
    reply = "".join(tell(engine, ASKED, parts, checker_of(tiny_catalog, picks), "plain", notes))
    assert picks[1].item.title in reply
    assert str(picks[1].item.values["director"]) in reply
    assert "2 director" not in reply
    assert engine.requests[0].begun == ""
    assert all(request.begun.startswith("2") for request in engine.requests[1:])
    assert notes == ["writer"]


def test_titles_that_two_picks_have_come_with_their_year(tiny_catalog: Catalog, phrases: Phrases) -> None:
    first, second, third = picks_of(tiny_catalog, [0, 1, 2])
    second = replace(second, item=replace(second.item, title=first.item.title))
    told = set[str]()
    for seed in range(20):
        parts = Composer.of(phrases, tiny_catalog.manifest, random.Random(seed)).recommended([first, second, third])
        told |= {offer.text for offers in every(parts, random.Random(seed)) for offer in offers if offer.size}
    named = [text for text in told if first.item.title in text]
    assert named
    assert all(first.name in text or second.name in text for text in named)
    assert {third.name in text for text in told if third.item.title in text} == {True, False}


def test_of_a_pick_without_text_or_facts_its_numbers_are_told(tiny_catalog: Catalog, phrases: Phrases) -> None:
    """All that it shares with the others is said of all."""
    picks = [
        replace(pick, why=("genres: Comedy",), item=replace(pick.item, values=values))
        for pick, runtime in zip(picks_of(tiny_catalog, [0, 1, 2]), (80, 95, 120), strict=True)
        for values in [dict.fromkeys(pick.item.values, None) | {"genres": ("Comedy",), "runtime": runtime}]
    ]
    chance = random.Random(2)
    parts = Composer.of(phrases, tiny_catalog.manifest, chance).recommended(picks)
    reply = "".join(tell(Wayward(chance), ASKED, parts, checker_of(tiny_catalog, tuple(picks)), "plain", []))
    assert all(runtime in reply for runtime in ("80", "95", "120"))


def test_the_language_of_a_film_is_a_reason_for_who_asked_for_it_alone(tiny_catalog: Catalog, phrases: Phrases) -> None:
    picks = [
        replace(pick, item=replace(pick.item, values={"director": f"Director{pick.item.row}", "language": "Danish"}))
        for pick in picks_of(tiny_catalog, [0, 1, 2])
    ]
    asked = [replace(picks[0], why=("language: Danish",)), *picks[1:]]
    told = {"asked": "", "unasked": ""}
    for name, shown in (("asked", asked), ("unasked", picks)):
        for seed in range(20):
            parts = Composer.of(phrases, tiny_catalog.manifest, random.Random(seed)).recommended(shown)
            told[name] += " ".join(offer.text for offers in every(parts, random.Random(seed)) for offer in offers)
    assert "Danish" in told["asked"]
    assert "Danish" not in told["unasked"]
    assert "Director0" in told["unasked"]


def test_where_nothing_is_known_of_any_pick_the_plain_reply_is_all(tiny_catalog: Catalog, phrases: Phrases) -> None:
    (pick,) = picks_of(tiny_catalog, [0])
    bare = replace(pick, why=(), item=replace(pick.item, values=dict.fromkeys(pick.item.values, None)))
    parts = Composer.of(phrases, tiny_catalog.manifest, random.Random(1)).recommended([bare])
    checker = checker_of(tiny_catalog, (bare,))
    assert list(tell(Leaning(""), ASKED, parts, checker, "plain", [])) == ["plain"]


PHRASE = st.lists(st.sampled_from(["Try", "Heat", "a", "an", "crime", "film.", "1995", "19,"]), min_size=1, max_size=6)


@given(st.lists(PHRASE.map(" ".join), min_size=1, unique=True), st.data())
def test_the_writer_gets_what_it_goes_for(texts: list[str], data: st.DataObject) -> None:
    """Where offers part it is asked once for the next word; one that is another's beginning gives way to it."""
    offers = [Offer(text) for text in texts]
    wanted = data.draw(st.sampled_from(texts))
    engine = Leaning(wanted)
    found = choose(engine, ASKED, "", offers).text
    assert WORD.findall(found)[: len(WORD.findall(wanted))] == WORD.findall(wanted)
    assert len(engine.requests) <= max(len(WORD.findall(text)) for text in texts)


def test_what_all_offers_share_is_not_asked_for() -> None:
    engine = Leaning("Sure! Try Heat, a crime film.")
    offers = [Offer("Try Heat, a crime film."), Offer("Try Heat, a dark film.")]
    assert choose(engine, ASKED, "Sure!", offers) == offers[0]
    assert [request.begun for request in engine.requests] == ["Sure! Try Heat, a"]


@pytest.mark.parametrize(("written", "wanted"), [("Brazil is long", 1), ("Braveheart", 0), ("Heat", 0), ("", 0)])
def test_of_a_server_without_grammars_what_it_writes_is_taken_if_it_was_offered(written: str, wanted: int) -> None:
    offers = [Offer("Braveheart is long."), Offer("Brazil is long.")]
    engine = Unbound([written] if written else [])
    assert choose(engine, ASKED, "", offers) == offers[wanted]
    assert [request.grammar for request in engine.requests] == ['root ::= "Braveheart" | "Brazil"']


def test_a_choice_is_found_by_the_longest_token_it_begins_with() -> None:
    found = {" The": -2.0, "The": -1.0, "Then": -3.0, " ": -0.5, "A": -4.0}
    assert by_first_token(found, [" Then", "The", "A", "B"]) == [-3.0, -1.0, -4.0, -math.inf]


def test_what_the_check_refuses_is_not_offered_again(tiny_catalog: Catalog) -> None:
    picks = picks_of(tiny_catalog, [0])
    title = picks[0].item.title

    def parts() -> Parts:
        offer = yield [Offer("Happy to help!")]
        offer = yield [Offer(f"{title} won an Oscar.", size=1), Offer(f"{title} is a good choice.", size=1)]
        assert offer.size == 1
        yield [Offer("Enjoy!")]

    notes: list[str] = []
    engine = Leaning(f"Happy to help! {title} won an Oscar.")
    said = list(tell(engine, ASKED, parts(), checker_of(tiny_catalog, picks), "plain", notes))
    assert said == ["Happy to help!", f" {title} is a good choice.", " Enjoy!"]
    assert notes == [f"writer: refused: {title} won an Oscar.", "writer: rewritten"]


def test_a_reply_that_speaks_of_no_pick_ends_in_the_plain_one(tiny_catalog: Catalog) -> None:
    def parts() -> Parts:
        yield [Offer("Happy to help!")]

    notes: list[str] = []
    checker = checker_of(tiny_catalog, picks_of(tiny_catalog, [0]))
    assert list(tell(Leaning(""), ASKED, parts(), checker, "plain", notes)) == ["Happy to help!", "\n\nplain"]
    assert notes == ["writer: plain reply"]
    assert list(tell(Leaning(""), ASKED, parts(), replace(checker, picks=(), documents=()), "plain", notes)) == [
        "Happy to help!"
    ]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("recommend | sql_filter 'Comedy' IN genres", "a comedy please"),
        ("recommend 1 | sql_filter 'Comedy' IN genres", "just one comedy"),
        ("chat", "thank you"),
    ],
)
def test_a_whole_turn_says_the_same_to_the_same_message(tiny_catalog: Catalog, plan: str, said: str) -> None:
    replies = set[str]()
    for _ in range(2):
        engine = Leaning("")
        engine.texts = [plan]
        engine.stream = lambda _, plan=plan: iter([plan])  # type: ignore[method-assign, misc]
        agent = Agent.of(tiny_catalog, engine, Settings(catalog=tiny_catalog.folder))
        events = list(run_turn(agent, Session(), said))
        replies.add("".join(event.piece for event in events if isinstance(event, Text)))
    (reply,) = replies
    assert reply
    assert "\n" not in reply  # not the plain one


def test_examples_are_told_as_the_product_tells(tiny_catalog: Catalog) -> None:
    """Another seed, other examples; the same, the same; every reply passes the check of the product."""
    made = list(writer_examples(tiny_catalog, 3, 40))
    assert made == list(writer_examples(tiny_catalog, 3, 40))
    assert made != list(writer_examples(tiny_catalog, 4, 40))
    kinds = {example.kind.split()[0] for example in made}
    assert kinds == {"recommend", "answer", "chat"}
    for example in made:
        if example.kind.startswith("recommend"):
            read = re.findall(r"^\d\. (.+?)(?: \(\d{4}\))?(?:: |$)", example.messages[1].content, re.MULTILINE)
            assert any(title in example.answer for title in read)
