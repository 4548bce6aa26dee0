"""The planner's held-out and development requests: every line is valid, and every right plan runs on its catalog."""

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
import xgrammar

from agent.grammar import plan_grammar
from agent.messages import MESSAGE
from agent.plan import Plan
from agent.written import Dialogue, remember, run_plan
from eval.held_out import DATA, DEVELOPMENT, REQUESTS, HeldOut
from tools.build import build
from tools.catalog import Catalog
from tools.ingest import folder_source
from tools.movielens import movielens_source
from tools.registry import TOOLS, call
from tools.schema import Manifest
from tools.source import Source
from tools.where import parse_order_by, parse_where

WRITTEN = Path(__file__).parent.parent / "finetune" / "data" / "planner_written.jsonl"  # trained on
SHOWN = 5  # items after a turn that named no number


@pytest.fixture(scope="module")
def files() -> dict[Path, HeldOut]:
    return {file: HeldOut.read(file) for file in (REQUESTS, DEVELOPMENT, WRITTEN)}


@pytest.fixture(scope="module")
def held_out(files: dict[Path, HeldOut]) -> list[Dialogue]:
    return list(files[REQUESTS].dialogues.values())


@pytest.fixture(scope="module")
def dialogues(files: dict[Path, HeldOut]) -> list[Dialogue]:
    """Of all files."""
    return [one for held in files.values() for one in held.dialogues.values()]


@pytest.fixture(scope="module")
def boardgames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    given = tmp_path_factory.mktemp("boardgames")
    (given / "items.csv").write_bytes((DATA / "boardgames.csv").read_bytes())
    out = tmp_path_factory.mktemp("catalogs") / "boardgames"
    build(folder_source(given), out)
    with Catalog.open(out) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def films() -> Source:
    return movielens_source()


def manifest_of(source: Source) -> Manifest:
    return Manifest(
        name=source.name,
        noun=source.noun,
        source=source.source,
        rows=len(source.items),
        interactions=0 if source.interactions is None else len(source.interactions),
        columns=source.columns,
        parts={},
        build_hash="0" * 16,
    )


def filters(plan: Plan) -> list[tuple[str, str]]:
    """The condition and the order of each sql_filter; either may be empty."""
    arguments = [one.arguments for one in plan.calls if one.tool == "sql_filter"]
    return [(given.get("where") or "", given.get("order_by") or "") for given in arguments]


def test_no_line_is_broken_and_no_id_is_there_twice(files: dict[Path, HeldOut], dialogues: list[Dialogue]) -> None:
    for file, held in files.items():
        assert held.broken == {}, file
        assert len(held.dialogues) == held.lines, file
    assert len({one.id for one in dialogues}) == len(dialogues)
    assert all(one.id[0] == one.catalog[0] for one in dialogues)


def test_there_are_as_many_as_the_measures_need(held_out: list[Dialogue]) -> None:
    of = {name: [one for one in held_out if one.catalog == name] for name in ("films", "boardgames")}
    assert len(held_out) == len(of["films"]) + len(of["boardgames"]) >= 300
    assert len(of["films"]) >= 200
    assert len(of["boardgames"]) >= 100
    for name, some in (("all", held_out), *of.items()):
        assert sum(len(one.turns) > 1 for one in some) >= len(some) / 3, name
    assert max(len(one.turns) for one in held_out) <= 4


def test_every_act_and_every_tool_is_asked_for(held_out: list[Dialogue]) -> None:
    plans = [turn.plan for one in held_out for turn in one.turns]
    assert {plan.act for plan in plans} == {"recommend", "ask", "answer", "chat"}
    assert {one.tool for plan in plans for one in plan.calls} == set(TOOLS)
    assert any(plan.count for plan in plans)


def test_no_request_is_there_twice_and_all_of_it_is_read(dialogues: list[Dialogue]) -> None:
    texts = [turn.text for one in dialogues for turn in one.turns]
    assert len({text.casefold() for text in texts}) == len(texts)
    assert max(map(len, texts)) <= MESSAGE


def test_items_were_shown_where_another_turn_follows(dialogues: list[Dialogue]) -> None:
    for one in dialogues:
        for turn, _ in pairwise(one.turns):
            most = (turn.plan.count or SHOWN) if turn.plan.act == "recommend" else 0
            assert bool(turn.shown) == bool(most), one.id
            assert len(turn.shown) <= most, one.id
        assert one.turns[-1].shown == [], one.id
        shown = [item for turn in one.turns for item in turn.shown]
        assert len(set(shown)) == len(shown), one.id


def test_boardgames_are_read_as_they_are_meant(boardgames: Catalog) -> None:
    columns = {column.name: column for column in boardgames.manifest.columns}
    assert len(boardgames) == 150
    assert [name for name, column in columns.items() if column.is_list] == ["mechanics", "themes"]
    assert {name for name, column in columns.items() if column.values} == {"mechanics", "themes"}
    assert columns["cooperative"].type == "boolean"
    assert columns["designer"].type == "text"
    assert columns["mechanics"].distinct == columns["themes"].distinct == 14


def test_the_right_plans_about_boardgames_run(dialogues: list[Dialogue], boardgames: Catalog) -> None:
    for one in (one for one in dialogues if one.catalog == "boardgames"):
        session = one.begin()
        for turn in one.turns:
            assert [error for _, error in run_plan(boardgames, turn.plan, session) if error] == [], one.id
            for where, order in filters(turn.plan):
                matched = call(boardgames, "sql_filter", {"where": where, "order_by": order or None}).matched
                assert matched is not None
                assert len(matched), (one.id, where)
                assert set(turn.shown) <= {str(boardgames.ids[row]) for row in matched}, (one.id, where)
            remember(boardgames, session, turn)


def test_the_planner_can_write_every_right_plan(dialogues: list[Dialogue], boardgames: Catalog, films: Source) -> None:
    vocabulary = [chr(code) for code in range(32, 127)] + ["é", "</s>"]
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[len(vocabulary) - 1]))
    for name, manifest in (("films", manifest_of(films)), ("boardgames", boardgames.manifest)):
        grammar = compiler.compile_grammar(plan_grammar(manifest))
        for text in {turn.plan.text() for one in dialogues if one.catalog == name for turn in one.turns}:
            matcher = xgrammar.GrammarMatcher(grammar)
            assert matcher.accept_string(text), text
            assert matcher.is_completed(), text


def test_the_right_filters_of_films_match_films(dialogues: list[Dialogue], films: Source) -> None:
    """On the source's table, since the whole film catalog takes too long to build."""
    manifest = manifest_of(films)
    with closing(duckdb.connect()) as con:
        con.register("source", films.items)
        con.execute("CREATE TABLE items AS SELECT * FROM source")
        known = {item for (item,) in con.execute("SELECT item_id FROM items").fetchall()}
        for one in (one for one in dialogues if one.catalog == "films"):
            assert known.issuperset([*one.liked, *one.disliked]), one.id
            for turn in one.turns:
                assert known.issuperset(turn.shown), one.id
                for where, order in filters(turn.plan):
                    assert where or order, one.id
                    if order:
                        parse_order_by(order, manifest)
                    if where:
                        said = parse_where(where, manifest)
                        rows = con.execute(f"SELECT item_id FROM items WHERE {said.sql}", said.parameters).fetchall()
                        assert rows, (one.id, where)
                        assert {(item,) for item in turn.shown} <= set(rows), (one.id, where)
