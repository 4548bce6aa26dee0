"""Hand-written dialogues as training data of the planner."""

from pathlib import Path

import pytest

from finetune.written import TIMES, written_examples
from tools.catalog import Catalog
from tools.errors import UsherError

LINE = (
    '{"id": "a", "kind": "k", "catalog": "films", "turns": ['
    '{"text": "a Drama, please", "plan": {"act": "recommend", "calls": [{"tool": "sql_filter", "where": "'
    "'Drama' IN genres"
    '"}]}, "shown": ["%s"]}, {"text": "thanks!", "plan": {"act": "chat"}}]}'
)


def file_of(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "written.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def test_a_turn_is_said_as_it_was_written_then_as_others_would_type_it(tiny_catalog: Catalog, tmp_path: Path) -> None:
    file = file_of(tmp_path, LINE % tiny_catalog.ids[0])
    made = list(written_examples(tiny_catalog, file, 1))
    assert [one.answer for one in made] == ["recommend | sql_filter 'Drama' IN genres", "chat"] * TIMES
    said = [one.messages[-1].content for one in made]
    assert said[0].endswith("Message: a Drama, please")
    assert all("drama" in text.lower() for text in said)  # what the plan copies stays
    assert len(set(said[::2])) > 1
    assert made == list(written_examples(tiny_catalog, file, 1))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{}", "line 2: id: Field required"),
        (LINE % "nobody", "line 2: nobody is not in the catalog films"),
        (LINE.replace("genres", "genders") % "x", "line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tiny_catalog: Catalog, tmp_path: Path, line: str, wrong: str) -> None:
    file = file_of(tmp_path, LINE % tiny_catalog.ids[0], line)
    with pytest.raises(UsherError, match=wrong):
        list(written_examples(tiny_catalog, file, 1))
