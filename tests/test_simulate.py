"""Simulated people: made of held-out histories, led by attributes alone, and measured by what they were shown."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.events import Done
from agent.evidence import Pick, gather
from agent.histories import histories, part_of
from agent.loop import Agent
from agent.memory import Exchange, Session
from agent.messages import LEAVE, Heard
from agent.plan import Plan
from agent.settings import Settings
from eval.agenda import PATIENCE, AgendaUser
from eval.dialogue import Stage
from eval.leaks import Outside, Titles, leaks
from eval.model_user import ModelUser
from eval.outcome import measured, paired, results
from eval.people import KINDS, Person, Taste, Wish, people, without
from eval.recommenders import AgentRow, RandomRow, ToolsRow
from eval.simulate import Asked, check, run_simulate, titles_of
from tests.conftest import TINY
from tests.scripted import ScriptedEngine
from tools.build import build
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.ingest import folder_source

PEOPLE, RATED = 90, 26


@pytest.fixture(scope="module")
def crowd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny items with many people who rated many of them."""
    source, chance = tmp_path_factory.mktemp("crowd"), random.Random(3)
    (source / "items.csv").write_text((TINY / "items.csv").read_text(encoding="utf-8"), encoding="utf-8")
    ids = [line.split(",")[0] for line in (TINY / "items.csv").read_text(encoding="utf-8").splitlines()[1:]]
    lines = ["user_id,film_id,rating,timestamp"]
    for person in range(PEOPLE):
        rated = chance.sample(ids, RATED)
        lines += [f"p{person},{film},{chance.choice((2, 4, 4, 5))},{10**9 + day}" for day, film in enumerate(rated)]
    (source / "interactions.csv").write_text("\n".join(lines), encoding="utf-8")
    folder = tmp_path_factory.mktemp("catalogs") / "crowd"
    build(folder_source(source), folder)
    return folder


@pytest.fixture(scope="module")
def crowd(crowd_folder: Path) -> Iterator[Catalog]:
    with Catalog.open(crowd_folder) as catalog:
        yield without(catalog)


@pytest.fixture(scope="module")
def persons(crowd: Catalog) -> list[Person]:
    return people(crowd, 10, seed=1)


def someone(catalog: Catalog, tastes: Sequence[Taste], goal: Sequence[int] = (), **held: Any) -> Person:
    """A person who liked the first two rows and is after the rows of `goal`."""
    ids = [str(catalog.ids[row]) for row in goal]
    first = (str(catalog.ids[0]), str(catalog.ids[1]))
    wish = Wish(tuple(tastes), frozenset(ids))
    made = Person("me", "knows", "someone", (wish,), first, (), frozenset(first), frozenset(ids))
    return replace(made, **held)


def picks(catalog: Catalog, rows: Sequence[int]) -> tuple[Pick, ...]:
    return tuple(gather(catalog, list(rows), [0.0] * len(rows), []))


@dataclass
class Fixed:
    """A recommender that shows these rows, a list a turn."""

    catalog: Catalog
    lists: list[list[int]]
    reply: str = "Here."

    def turn(self, session: Session, text: str) -> tuple[Done, int | None]:
        shown = picks(self.catalog, self.lists[len(session.exchanges)])
        session.remember(Exchange(user=text, reply=self.reply), [], [])
        return Done(self.reply, Plan(act="recommend"), shown), 7


@dataclass
class Says:
    """A user who says these."""

    texts: list[str]
    heard: list[int] = field(default_factory=list)

    def say(self, heard: Sequence[Heard]) -> str:
        return self.texts[len(heard)]

    def read(self, heard: Sequence[Heard]) -> str:
        return ""


def test_people_are_held_out_and_their_tastes_are_those_of_the_goal(crowd: Catalog, persons: list[Person]) -> None:
    assert [person.kind for person in persons] == [*KINDS, *KINDS]
    for person in persons:
        assert part_of(person.id) == "test"
        assert not person.hidden & person.seen
        assert set(person.liked) <= person.seen
        for wish in person.wishes:
            assert wish.goal <= person.hidden
            assert wish.goal
            items = crowd.items([row for item in wish.goal if (row := crowd.row_of(item)) is not None])
            assert all(taste.met_by(item) for item in items for taste in wish.tastes)
    assert people(crowd, 10, seed=1) == persons
    assert people(crowd, 10, seed=2) != persons


def test_nobody_is_told_a_hidden_title(crowd: Catalog, persons: list[Person]) -> None:
    finders = titles_of(crowd, persons)
    for person in persons:
        told = [person.persona, *(taste.line() for wish in person.wishes for taste in wish.tastes)]
        assert not finders[person.id].named("\n".join(told))


def test_more_people_than_there_are_is_an_error(crowd: Catalog) -> None:
    with pytest.raises(UsherError, match="held-out people"):
        people(crowd, 1000, seed=1)


def test_what_the_rows_know_of_people_leaves_the_held_out_out(crowd_folder: Path, crowd: Catalog) -> None:
    with Catalog.open(crowd_folder) as whole:
        others = [one for one in histories(whole) if part_of(one.user_id) != "test"]
        counts = np.bincount(np.concatenate([one.rows for one in others]), minlength=len(whole))
        np.testing.assert_array_equal(crowd.popularity, counts)
        assert whole.popularity.sum() > counts.sum()
        held_out = next(one.user_id for one in histories(whole) if part_of(one.user_id) == "test")
    assert crowd.cf is not None
    assert not crowd.cf.knows(held_out)


def test_the_agenda_refuses_what_it_sees_and_praises_what_fits(crowd: Catalog) -> None:
    items = crowd.items(range(len(crowd)))
    genres = {genre for item in items for genre in item.values["genres"]}
    bad = max(sorted(genres), key=lambda genre: sum(genre in item.values["genres"] for item in items))
    refused = Taste("genres", bad, wanted=False)
    has = [item.row for item in items if bad in item.values["genres"]]
    free = [item.row for item in items if bad not in item.values["genres"] and item.row > 1]
    user = AgendaUser(someone(crowd, [refused]), "film", seed=1)
    assert bad in user.say([Heard("hi", "Here.", picks(crowd, has[:5]))])
    said = user.say([Heard("hi", "Here.", picks(crowd, free[:5]))])
    assert str(crowd.titles[free[0]]) in said
    seen = Heard("hi", "Here.", picks(crowd, has[:5]))
    assert not user.say([seen] * (PATIENCE["knows"] - 1)).endswith(LEAVE)
    assert user.say([seen] * PATIENCE["knows"]).endswith(LEAVE)


def test_a_vague_person_names_nothing_at_first_and_a_mind_changes(persons: list[Person]) -> None:
    vague = next(person for person in persons if person.kind == "vague")
    first = AgendaUser(vague, "film", 1).say([])
    assert not any(taste.value and taste.value in first for taste in vague.wishes[0].tastes)
    changing = next(person for person in persons if person.kind == "changes mind")
    said = AgendaUser(changing, "film", 1).say([Heard("a", "b", ()), Heard("a", "b", ())])
    assert any((taste.value or f"{taste.low}s") in said for taste in changing.wishes[1].tastes)


def test_measures_by_hand(crowd: Catalog) -> None:
    items = crowd.items(range(len(crowd)))
    bad = items[5].values["genres"][0]
    free = [item.row for item in items if bad not in item.values["genres"]]
    goal = free[0]
    taste = Taste("genres", bad, wanted=False)
    person = someone(crowd, [taste], [goal], hidden=frozenset({str(crowd.ids[goal]), str(crowd.ids[free[3]])}))
    lists = [[5, free[1]], [free[2], free[3], free[1]], [goal], [], [free[4]]]
    record = Stage(crowd).play(Says(["hello", f"no {bad}", "more", "more", "more"]), person, Fixed(crowd, lists))
    shares = record["shares"]
    assert [shares[f"success@{turn}"] for turn in range(1, 6)] == [(0, 1), (0, 1), (1, 1), (1, 1), (1, 1)]
    assert shares["turns to success"] == (3, 1)
    assert shares["hits"] == (2, 1)
    assert shares["adaptation"] == (1, 1)
    assert shares["violations"] == (0, 5)  # of what came once the dislike was said
    assert shares["repeats"] == (1, 7)
    assert shares["asked"] == (1, 5)
    assert shares["tokens"] == (35, 5)
    shown = [row for rows in lists for row in rows]
    lift = crowd.popularity[shown].mean() / crowd.popularity[[0, 1]].mean() - 1
    assert shares["popularity lift"][0] == pytest.approx(lift)
    vectors = crowd.dense.vectors
    pair = 1 - float(vectors[5] @ vectors[free[1]])
    three = [vectors[row] for row in lists[1]]
    triple = 1 - np.mean([three[a] @ three[b] for a, b in ((0, 1), (0, 2), (1, 2))])
    assert shares["diversity"][0] == pytest.approx(pair + triple, abs=1e-5)
    assert shares["diversity"][1] == 2


def test_a_dislike_that_stays_is_no_adaptation(crowd: Catalog) -> None:
    items = crowd.items(range(len(crowd)))
    bad = items[5].values["genres"][0]
    has = [item.row for item in items if bad in item.values["genres"]]
    person = someone(crowd, [Taste("genres", bad, wanted=False)])
    said = ["hello", f"no {bad}", f"bye {LEAVE}"]
    shares = Stage(crowd).play(Says(said), person, Fixed(crowd, [has[:1], has[1:2]]))["shares"]
    assert shares["adaptation"] == (0, 1)
    assert shares["violations"] == (1, 1)
    assert shares["left"] == (1, 1)


def test_a_planted_title_in_the_persona_stops_the_run(crowd: Catalog, persons: list[Person]) -> None:
    person = persons[0]
    title = crowd.title(sorted(person.hidden)[0])
    leaky = replace(person, persona=f"someone who will love {title}")
    record = {"id": "r", "person": person.id, **Stage(crowd).play(Says(["hi"] * 5), leaky, Fixed(crowd, [[0]] * 5))}
    with pytest.raises(UsherError, match="given the hidden item"):
        check([record], titles_of(crowd, persons))


def test_a_title_said_before_it_was_shown_is_a_leak_and_after_it_none(crowd: Catalog) -> None:
    person = someone(crowd, [], [7])
    finder = Titles({str(crowd.ids[7]): str(crowd.titles[7])})
    said = f"I'd like {crowd.titles[7]}"
    play = Stage(crowd).play
    early = {"id": "early", **play(Says(["hi", said, *["hi"] * 3]), person, Fixed(crowd, [[0], [7], [1], [2], [3]]))}
    late = {
        "id": "late",
        **play(Says(["hi", "hi", said, *["hi"] * 2]), person, Fixed(crowd, [[0], [7], [1], [2], [3]])),
    }
    assert [(leak.turn, leak.where, leak.item_id) for leak in leaks(early, finder)] == [(2, "said", str(crowd.ids[7]))]
    assert not list(leaks(late, finder))


def test_a_shown_title_that_begins_with_a_hidden_one_names_only_itself() -> None:
    turns = [
        {
            "said": "hi",
            "read": "",
            "reply": "Here.",
            "items": [{"item_id": "1", "title": "The Ring Two", "line": "- x"}],
        },
        {"said": "I like The Ring Two. What else?", "read": "", "reply": "", "items": []},
        {"said": "or The Ring itself?", "read": "", "reply": "", "items": []},
    ]
    record = {"id": "r", "persona": "", "tastes": [], "turns": turns}
    assert [leak.turn for leak in leaks(record, Titles({"9": "The Ring"}))] == [3]


def test_everyday_words_are_titles_only_where_they_look_like_it() -> None:
    finder = Titles({"1": "It", "2": "Speed", "3": "The Godfather"})
    assert finder.named("It is fine, it is") == set()
    assert finder.named("a film with speed") == set()
    assert finder.named('have you "Speed"?') == {"2"}
    assert finder.named("did you like Speed?") == {"2"}
    assert finder.named("something like the godfather") == {"3"}
    assert finder.named("godfathers") == set()


def test_a_planted_title_outside_the_catalog_is_counted(crowd: Catalog) -> None:
    outside = Outside(crowd)
    known = str(crowd.titles[3])
    assert outside.named(f"I would pick {known} (1990).") == []
    assert outside.named("Try Zorbulon Rising (1990) first.") == ["Try Zorbulon Rising"]
    assert outside.named('Or "Nowhere Twice"?') == ["Nowhere Twice"]
    assert outside.named('As you said, "Nowhere Twice".', given='I love "nowhere twice"') == []
    reply = "Try Zorbulon Rising (1990) first."
    record = Stage(crowd).play(Says(["hi"] * 5), someone(crowd, []), Fixed(crowd, [[0]] * 5, reply))
    assert record["shares"]["outside"] == (5, 5)
    assert record["shares"]["unsupported"] == (5, 5)


def test_paired_differences_and_people_left_out() -> None:
    def record(row: str, person: str, success: float) -> dict[str, Any]:
        shares = {"success@5": (success, 1.0), "adaptation": None}
        return {
            "id": f"{row}/{person}",
            "row": row,
            "user": "agenda",
            "person": person,
            "kind": "vague",
            "turns": [],
        } | {"shares": shares}

    rows = {"a": [1.0, 1.0, 0.0], "b": [0.0, 1.0, 0.0]}
    records = [record(row, str(n), value) for row, values in rows.items() for n, value in enumerate(values)]
    found = paired(records[:3], records[3:])
    assert found["success@5"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert "adaptation" not in found
    assert measured(records[:3])["success@5"]["n"] == 3
    from eval.leaks import Leak

    kept = results(records, [Leak("a/0", 1, "said", "x")], "b", items=10)
    assert kept["left_out"] == 1
    assert {row: found["dialogues"] for row, found in kept["users"]["agenda"].items()} == {"a": 2, "b": 2}


def test_the_model_user_reads_attributes_and_what_was_shown(crowd: Catalog, persons: list[Person]) -> None:
    person = persons[0]
    engine = ScriptedEngine(["a film\nplease", "  "], roles=["user"])
    user = ModelUser(engine, person, "film", 1)
    assert user.say([]) == "a film please"
    heard = [Heard("a film please", "Here.", picks(crowd, [0]))]
    assert user.say(heard) == LEAVE
    assert str(crowd.titles[0]) in user.read(heard)
    assert not titles_of(crowd, [person])[person.id].named(user.read([]))


def test_rows_show_nothing_twice_and_take_in_what_was_liked(crowd: Catalog) -> None:
    for row in (RandomRow(crowd, 1, 5), ToolsRow(crowd, ("bm25_search", "cf_recommend"), 5), ToolsRow(crowd, (), 5)):
        session = Session()
        shown = [pick.item.item_id for _ in range(4) for pick in row.turn(session, "a comedy")[0].picks]
        assert len(shown) == len(set(shown)) == 20
    session = Session()
    row = ToolsRow(crowd, ("cf_recommend",), 5)
    row.turn(session, f'I love "{crowd.titles[4]}"')
    assert session.profile.liked == [str(crowd.ids[4])]


def test_the_agent_is_a_row_like_any_other(crowd: Catalog) -> None:
    agent = Agent.of(crowd, ScriptedEngine(["recommend | bm25_search comet"] * 5), Settings(shown=5))
    record = Stage(crowd).play(Says(["a comet"] * 5), someone(crowd, [Taste("genres", "Comedy")]), AgentRow(agent))
    assert all("Comet" in turn["items"][0]["line"] for turn in record["turns"][:1])
    assert record["shares"]["tokens"] is None  # this engine cannot tell
    assert record["shares"]["unsupported"] == (0, 5)


def test_a_run_gives_every_row_the_same_people_and_goes_on(
    crowd_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(crowd_folder, tmp_path / "run", rows=("random", "popularity", "cf"), count=5, jobs=2)
    run_simulate(asked)
    records = [json.loads(line) for line in (asked.out / "transcripts.jsonl").read_text().splitlines()]
    assert len(records) == 15
    assert len({record["person"] for record in records}) == 5
    found = json.loads((asked.out / "results.json").read_text())
    assert found["leaks"] == []
    assert found["users"]["agenda"]["popularity"]["measures"]["repeats"]["mean"] == 0
    assert "paired" in found["users"]["agenda"]["cf"]
    assert "cf" in capsys.readouterr().out
    assert "agenda/cf/" in (asked.out / "report.html").read_text(encoding="utf-8")
    run_simulate(asked)
    assert len((asked.out / "transcripts.jsonl").read_text().splitlines()) == 15


@pytest.mark.ray
@pytest.mark.enable_socket
def test_two_nodes_play_the_same_dialogues(crowd_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        here = Asked(crowd_folder, tmp_path / "here", rows=("popularity", "cf"), count=5)
        there = replace(here, out=tmp_path / "there", jobs=2, ray=cluster.address)
        run_simulate(here)
        run_simulate(there)
    finally:
        cluster.shutdown()

    def said(asked: Asked) -> dict[str, list[str]]:
        lines = (asked.out / "transcripts.jsonl").read_text().splitlines()
        return {record["id"]: [turn["said"] for turn in record["turns"]] for record in map(json.loads, lines)}

    assert said(here) == said(there)
