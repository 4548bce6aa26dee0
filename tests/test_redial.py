"""Messages of real people labelled by search: the plan that finds what was suggested, folds left alone, bad lines."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent.memory import Session
from agent.recorded import fold_of
from finetune.heard import Listener
from finetune.lexicon import read_domain, words_for
from finetune.redial import TRAINING, _Wish, candidates, redial_examples, search
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.where import parse_where

WESTERN = "'Western' IN genres"
Talk = Sequence[tuple[str, str]]


def dialogues(count: int, trained: bool = True) -> list[str]:
    """Ids of dialogues that training may read, or may not."""
    return [name for name in map(str, range(200)) if (fold_of(name) in TRAINING) == trained][:count]


def written(folder: Path, talks: Mapping[str, Talk]) -> Path:
    """A replay file: a line for each of the person's messages; `talks` are messages with the id suggested next."""
    lines = []
    for name, talk in talks.items():
        said: list[dict[str, str]] = []
        for number, (text, gold) in enumerate(talk, start=1):
            said.append({"role": "user", "content": text})
            lines.append({"id": f"{name}-{number}", "messages": list(said), "mentioned": [], "gold": [gold]})
            said.append({"role": "assistant", "content": "I see"})
    file = folder / "talks.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def rows(catalog: Catalog, condition: str) -> list[int]:
    """Of the items that meet a condition, most popular first: rows stand in the order of popularity."""
    where = parse_where(condition, catalog.manifest)
    return sorted(catalog.select(where.sql, where.parameters).tolist())


def rare(catalog: Catalog, condition: str) -> str:
    """The id of the least popular item that meets a condition."""
    return str(catalog.ids[rows(catalog, condition)[-1]])


def test_the_filter_that_finds_what_was_suggested_is_the_label(tiny_catalog: Catalog, tmp_path: Path) -> None:
    (name,) = dialogues(1)
    file = written(tmp_path, {name: [("a western please", rare(tiny_catalog, WESTERN))]})
    (found,) = redial_examples(tiny_catalog, file, seed=1)
    assert found.id == f"{name}-1"
    assert found.message == "a western please"
    assert found.plan.text() == f"recommend | sql_filter {WESTERN}"
    assert found.rank == len(rows(tiny_catalog, WESTERN))  # the least popular one comes last
    assert not found.session.exchanges


def test_what_was_asked_before_still_holds(tiny_catalog: Catalog, tmp_path: Path) -> None:
    (name,) = dialogues(1)
    both = f"{WESTERN} AND year BETWEEN 1960 AND 1969"
    talk = [("a western please", rare(tiny_catalog, WESTERN)), ("one from the 1960s", rare(tiny_catalog, both))]
    first, second = redial_examples(tiny_catalog, written(tmp_path, {name: talk}), seed=1)
    assert second.plan.text() == f"recommend | sql_filter {both}"
    assert [exchange.plan for exchange in second.session.exchanges] == [first.plan]


def test_small_talk_is_chat_and_what_no_plan_explains_is_left_out(tiny_catalog: Catalog, tmp_path: Path) -> None:
    (name,) = dialogues(1)
    talk = [("hi there", "1"), ("a western please", rare(tiny_catalog, "'Documentary' IN genres"))]
    (greeting,) = redial_examples(tiny_catalog, written(tmp_path, {name: talk}), seed=1)
    assert (greeting.plan.text(), greeting.rank) == ("chat", 0)


def test_the_folds_of_evaluation_are_never_read(tiny_catalog: Catalog, tmp_path: Path) -> None:
    gold = rare(tiny_catalog, WESTERN)
    talks = {name: [("a western please", gold)] for name in (*dialogues(3, trained=False), *dialogues(2))}
    found = list(redial_examples(tiny_catalog, written(tmp_path, talks), seed=1))
    assert {label.id.rpartition("-")[0] for label in found} == set(dialogues(2))


def test_years_after_titles_go_in_about_half_of_the_dialogues(tiny_catalog: Catalog, tmp_path: Path) -> None:
    gold = rare(tiny_catalog, WESTERN)
    talks = {name: [("a western like Salt Road (1987)", gold)] for name in dialogues(20)}
    found = list(redial_examples(tiny_catalog, written(tmp_path, talks), seed=1))
    undated = sum(label.message == "a western like Salt Road" for label in found)
    assert len(found) == 20
    assert 4 < undated < 16


def test_no_plan_is_a_label_for_what_popularity_finds_as_well(tiny_catalog: Catalog) -> None:
    heard = Listener(tiny_catalog, words_for(tiny_catalog, [read_domain("films")])).hear("a western please")
    westerns = rows(tiny_catalog, WESTERN)
    assert search(tiny_catalog, Session(), _Wish(), heard, [0]) is None  # the most popular item of all
    found = search(tiny_catalog, Session(), _Wish(), heard, westerns[-2:])
    assert found is not None
    assert found[0] == len(westerns) - 1  # the best of what was suggested counts


def test_every_candidate_is_tried_once(tiny_catalog: Catalog) -> None:
    heard = Listener(tiny_catalog, words_for(tiny_catalog, [read_domain("films")])).hear(
        "a western from the 1960s like Salt Road"
    )
    texts = [plan.text() for _, plan, _ in candidates(_Wish(), heard)]
    assert len(texts) == len(set(texts)) > 3
    assert any(WESTERN in text and "1960" in text and "similar_items" in text for text in texts)


BROKEN = (
    ('{"id": "7-1", "messages"', "line: Invalid JSON"),
    ('{"id": "7-1", "messages": [{"role": "king", "content": "x"}], "gold": ["1"]}', "messages.0.role"),
    ('{"id": "7-1", "messages": [{"role": "user", "content": "x"}]}', "gold: Field required"),
)


@pytest.mark.parametrize(("line", "said"), BROKEN)
def test_a_broken_line_is_named(tiny_catalog: Catalog, tmp_path: Path, line: str, said: str) -> None:
    file = written(tmp_path, {"1": [("a western", "2")]})
    file.write_text(f"{file.read_text(encoding='utf-8')}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsherError, match=rf"talks\.jsonl: line 3: {said}") as raised:
        list(redial_examples(tiny_catalog, file, seed=1))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tiny_catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UsherError, match=r"absent\.jsonl: cannot be read"):
        list(redial_examples(tiny_catalog, tmp_path / "absent.jsonl", seed=1))
