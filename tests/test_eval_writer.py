"""The writer's score: what it wrote first, what went out, and how the report tells of both."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evidence import Pick, gather
from agent.facts import Checker, neutral_words
from agent.settings import Settings
from agent.write import plain_chat
from agent.written import Dialogue
from eval.held_out import PROJECT, REQUESTS, command
from eval.replies import Reply, distinct, measured, repeats
from eval.writer import reply_all, run_writer
from eval.writer_report import measure, print_report, write_report
from tests.scripted import ScriptedEngine
from tools.catalog import Catalog
from tools.errors import UsherError

COMET = {
    "act": "recommend",
    "calls": [{"tool": "sql_filter", "where": "director = 'Piet Olsen' AND year = 1994 AND 'Comedy' IN genres"}],
}
ASK = {"act": "ask", "question": "Which genre?", "calls": [{"tool": "facet_counts", "column": "genres"}]}
TRUE = "Comet Over Dover (1994) is a comedy."
FALSE = "Comet Over Dover is a comedy. It is a horror film."
ABOUT = {"file": "requests.jsonl", "sha256": "0" * 64, "broken": {}, "dialogues": 4, "engine": "scripted"}


def dialogue(name: str, *turns: tuple[str, Any]) -> Dialogue:
    told = [{"text": text, "plan": plan} for text, plan in turns]
    return Dialogue.model_validate({"id": name, "kind": "any", "catalog": "tiny", "turns": told})


@pytest.fixture
def replies(tiny_catalog: Catalog) -> list[Reply]:
    """One as written, one rewritten, and one that ended in the plain reply."""
    chat = plain_chat(tiny_catalog.manifest.noun)
    engine = ScriptedEngine(
        [
            "hi",  # warms the model
            TRUE,
            "Al Pacino rules. Say more.",
            chat,
            "Al Pacino rules. Say more.",  # to its end, which the check did not wait for
            FALSE,  # its last sentence is refused, so that it is whole
        ],
        free=["writer"],
    )
    asked = [
        dialogue("1", ("a comedy by piet olsen", COMET), ("hm", ASK)),
        dialogue("2", ("hello", {"act": "chat"})),
        dialogue("3", ("the comet one", COMET)),
    ]
    found = reply_all(engine, asked, {"tiny": tiny_catalog}, Settings(catalog=tiny_catalog.folder), "adapter")
    assert engine.texts == []
    assert {request.role for request in engine.requests} == {"writer"}
    return found


def test_every_reply_is_known_as_it_was_written_and_as_it_went_out(replies: list[Reply]) -> None:
    assert [(reply.dialogue, reply.act, reply.came) for reply in replies] == [
        ("1", "recommend", "as written"),
        ("2", "chat", "rewritten"),
        ("3", "recommend", "plain reply"),
    ]
    assert [reply.first.text for reply in replies] == [TRUE, "Al Pacino rules. Say more.", FALSE]
    assert replies[0].sent.text == TRUE
    assert replies[2].sent.text.startswith(
        "Comet Over Dover is a comedy. \n\nThis one fits:\n- Comet Over Dover (1994)"
    )
    assert [reply.titles for reply in replies] == [("Comet Over Dover (1994)",), (), ("Comet Over Dover (1994)",)]
    assert [reply.first.unsupported for reply in replies] == [(), ("Al", "Pacino", "rules"), ("horror",)]
    assert [reply.sent.unsupported for reply in replies] == [(), (), ()]
    assert all(0 <= reply.ms_first <= reply.ms for reply in replies)


def test_a_turn_leaves_no_mark_on_the_next(tiny_catalog: Catalog) -> None:
    """What is recommended twice is found twice: the history is the file's, not what was answered."""
    engine = ScriptedEngine(["hi", TRUE, TRUE], free=["writer"])
    asked = [dialogue("1", ("a comedy", COMET), ("a comedy", COMET))]
    found = reply_all(engine, asked, {"tiny": tiny_catalog}, Settings(catalog=tiny_catalog.folder), "adapter")
    assert found[0].titles == found[1].titles == ("Comet Over Dover (1994)",)


def test_shares_are_those_before_the_check_and_after_it(replies: list[Reply]) -> None:
    first, sent = measure(replies, "first try"), measure(replies, "as sent")
    assert first["all"]["supported replies"].mean == pytest.approx(1 / 3)
    assert first["all"]["supported sentences"].mean == pytest.approx(3 / 5)
    assert sent["all"]["supported replies"].mean == sent["all"]["supported sentences"].mean == 1.0
    assert (first["all"]["names a pick"].mean, first["all"]["names a pick"].n) == (1.0, 2)
    assert "names a pick" not in sent["act chat"]
    for came in ("as written", "rewritten", "plain reply"):
        assert sent["all"][came].mean == pytest.approx(1 / 3)
        assert came not in first["all"]
    assert sent["all"]["same as another"].mean == 0.0
    assert measure([*replies, *replies], "as sent")["all"]["same as another"].mean == 1.0
    assert first["act recommend"]["words"].mean == pytest.approx((7 + 11) / 2)


def test_the_report_is_a_table_a_file_and_samples(
    replies: list[Reply], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(write_report(ABOUT, {"adapter": replies, "base": replies[1:]}, tmp_path, 2))
    printed = capsys.readouterr().out
    rows = [line.split()[2:3] for line in printed.splitlines() if line.startswith("supported replies")]
    assert rows == [["0.333"], ["0.000"]]
    assert "1  horror, such as: Comet Over Dover is a comedy. It is a horror film." in printed
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["writers"]) == {"adapter", "base"}
    assert results["writers"]["adapter"]["measures"]["as sent"]["all"]["supported replies"] == {
        "mean": 1.0, "low": 1.0, "high": 1.0, "n": 3
    }  # fmt: skip
    assert results["replies"]["adapter"][0]["sent"]["text"] == TRUE
    samples = (tmp_path / "samples.md").read_text()
    assert samples.startswith("The first 2 replies (adapter, scripted, ")
    assert (
        "**1. a comedy by piet olsen** (recommend; as written)\n\nShown: Comet Over Dover (1994)\n\n> Comet" in samples
    )
    assert "**2. hello** (chat; rewritten)" in samples
    assert "**3." not in samples


def picks(catalog: Catalog, *items: str) -> tuple[Pick, ...]:
    rows = [row for item in items if (row := catalog.row_of(item)) is not None]
    return tuple(gather(catalog, rows, [0.0] * len(rows), []))


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("Try this one. It is short and sweet.", False),
        ("Try this one. Maybe not. Try this one!", True),
        ("It is a warm film, and it is a warm one too.", True),
        ("Comet Over Dover is first. Comet Over Dover II is next.", False),  # their shared words are titles
        ("See Comet Over Dover II, or else Comet Over Dover.", False),
        ("", False),
    ],
)
def test_repetition_is_a_sentence_or_four_words_twice(text: str, again: bool, tiny_catalog: Catalog) -> None:
    assert repeats(text, picks(tiny_catalog, "3", "4")) is again


def test_distinct_n_by_hand() -> None:
    assert distinct(["a b a b", "a c"], 1) == 3 / 6
    assert distinct(["a b a b", "a c"], 2) == 3 / 4
    assert distinct([], 2) == 0.0


@given(st.text(max_size=120))
def test_any_text_can_be_measured(tiny_catalog: Catalog, text: str) -> None:
    about = picks(tiny_catalog, "3")
    documents = tiny_catalog.documents([pick.item.row for pick in about])
    found = measured(Checker(tiny_catalog.manifest, about, documents, "", neutral_words()), text)
    assert all(0 <= hit <= tried for name, (hit, tried) in found.shares.items() if name != "words")
    assert (found.shares["supported replies"][0] == 1.0) == (not found.unsupported)


def test_a_command_names_files_of_the_project_and_no_others(tmp_path: Path) -> None:
    inside = REQUESTS.relative_to(PROJECT)
    assert command("writer", REQUESTS, None, True) == f"usher eval writer --file {inside} --base"
    assert (
        command("planner", tmp_path / "my own.jsonl", 5, False) == "usher eval planner --file 'my own.jsonl' --limit 5"
    )


def test_what_cannot_be_measured_is_said_in_one_line(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USHER_ADAPTERS", str(tmp_path))
    file, folders = tmp_path / "requests.jsonl", {"tiny": tiny_folder}
    with pytest.raises(UsherError, match=r"requests.jsonl: cannot be read"):
        run_writer(folders, file, tmp_path, None, False, 3)
    file.write_text(dialogue("1", ("hello", {"act": "chat"})).model_dump_json())
    with pytest.raises(UsherError, match="has no adapter for the role writer; train it with: usher finetune train"):
        run_writer(folders, file, tmp_path, None, False, 3)
    monkeypatch.setenv("USHER_LLM_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UsherError, match="--base: the base model is compared in process; unset USHER_LLM_URL"):
        run_writer(folders, file, tmp_path, None, True, 3)
