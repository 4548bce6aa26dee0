"""The command line: what it prints, its exit codes, and errors of one line."""

import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

import app
from tools.errors import UsherError

ROOT = Path(__file__).parent.parent
INJECTION = "1=1) UNION SELECT * FROM read_csv('secrets.csv') --"


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


def usher(*arguments: str, catalog: Path | None = None) -> Result:
    """The command line in this process."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["usher", *arguments])
        if catalog is not None:
            patch.setenv("USHER_CATALOG", str(catalog))
        try:
            app.main()
        except SystemExit as stop:
            return Result(int(stop.code or 0), out.getvalue(), err.getvalue())
    return Result(0, out.getvalue(), err.getvalue())


def error_line(result: Result, code: int = 1) -> str:
    assert result.returncode == code, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("usher: ")
    return line


def test_the_tools_are_listed_with_their_schemas() -> None:
    schemas = json.loads(usher("tools", "list").stdout)
    names = {schema["function"]["name"] for schema in schemas}
    assert names == {
        "sql_filter",
        "bm25_search",
        "dense_search",
        "cf_recommend",
        "similar_items",
        "title_lookup",
        "facet_counts",
    }
    assert all(schema["function"]["parameters"]["additionalProperties"] is False for schema in schemas)


def test_the_command_is_installed() -> None:
    command = [str(Path(sys.executable).with_name("usher")), "--help"]
    assert "catalog" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_tool_runs_from_the_command_line(tiny_folder: Path) -> None:
    where = {"where": "'Western' IN genres AND year < 1960"}
    result = usher("tools", "call", "sql_filter", json.dumps(where), catalog=tiny_folder)
    assert [item["title"] for item in json.loads(result.stdout)["items"]] == ["Dust and Violets"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("sql_filter", json.dumps({"where": INJECTION}), "UNION is not allowed"),
        ("sql_filter", '{"where": 3}', "where"),
        ("sql_filter", '{"file": "a"}', "it takes: where, order_by, limit"),
        ("sql_filter", json.dumps({"where": "x" * 501}), "500"),
        ("bm25_search", "{", "not JSON"),
        ("bm25_search", "[]", "JSON object"),
        ("rm", "{}", "there are: sql_filter"),
        ("cf_recommend", "{}", "at least one item"),
        ("similar_items", '{"item_id": "zzzz zzzz"}', "zzzz"),
        ("facet_counts", '{"column": "colour"}', "colour"),
    ],
)
def test_what_a_tool_refuses_is_one_clear_line(tiny_folder: Path, name: str, arguments: str, said: str) -> None:
    assert said in error_line(usher("tools", "call", name, arguments, catalog=tiny_folder))


def test_a_missing_catalog_says_how_to_build_one(tmp_path: Path) -> None:
    line = error_line(usher("tools", "call", "sql_filter", '{"where": "year > 1"}', catalog=tmp_path / "none"))
    assert "usher catalog build movielens" in line


def test_a_folder_is_built_and_described(tmp_path: Path) -> None:
    built = usher("catalog", "build", str(ROOT / "tests" / "tiny"), "--out", str(tmp_path / "made"))
    assert built.returncode == 0, built.stderr
    described = usher("catalog", "info", str(tmp_path / "made"))
    assert "40 films" in described.stdout
    assert "genres" in described.stdout


def test_a_source_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    error_line(usher("catalog", "build", str(tmp_path / "nothing"), "--out", str(tmp_path / "made")))
    assert not list(tmp_path.iterdir())


def test_usage_errors_exit_2() -> None:
    assert usher("ask").returncode == 2
    assert usher("ask", "a", "--file", "b").returncode == 2
    assert usher("nonsense").returncode == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", ":2: not JSON"), ('{"id": 1}', ":2: wants"), ('{"id": 1, "turns": [1]}', ":2: wants"), ("[]", ":2: wants")],
)
def test_a_broken_line_of_conversations_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text('{"id": "a", "turns": ["hello"]}\n' + line)
    with pytest.raises(UsherError, match=said):
        app._conversations(file)


@pytest.mark.model
def test_conversations_from_a_file_answer_a_line_a_turn(tmp_path: Path, tiny_folder: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text('{"id": "a", "turns": ["a comedy", "thanks"]}\n\n{"id": 7, "turns": ["a western"]}\n')
    lines = usher("ask", "--file", str(file), "--json", catalog=tiny_folder).stdout.splitlines()
    turns = [json.loads(line) for line in lines]
    assert [(turn["id"], turn["turn"]) for turn in turns] == [("a", 1), ("a", 2), ("7", 1)]
    assert {"reply", "act", "items", "plan", "relaxed", "trace", "timings"} <= set(turns[0])
