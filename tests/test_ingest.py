import csv
import datetime
import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.folders import ITEMS, problem, read
from tools.errors import CatalogError
from tools.inference import NO_VALUE
from tools.ingest import folder_source
from tools.names import plain_name, unused
from tools.source import Source

Rows = list[dict[str, Any]]


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return "|".join(value)
        case _:
            return str(value)


def write_csv_gz(path: Path, rows: Rows) -> None:
    plain = path.with_suffix("")
    write_csv(plain, rows)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {
    "items.csv": write_csv,
    "items.csv.gz": write_csv_gz,
    "items.jsonl": write_jsonl,
    "items.parquet": write_parquet,
}


# Values that have one reading in every format: texts that are no number, truth value, date or list.
WORD = st.text("abcdefgh", min_size=1, max_size=6).map(lambda text: f"w{text}")
TEXT = st.text("abc é,'\"\n日0", max_size=12).map(lambda text: f"w {text}".strip())
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "integer": st.integers(-(10**15), 10**15),
    "number": st.floats(-1e15, 1e15),
    "boolean": st.booleans(),
    "date": st.dates(datetime.date(1000, 1, 1)),
    "list": st.lists(WORD, min_size=1, max_size=3),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rows, dict[str, str]]:
    """Rows with ids and titles, and columns `c0`, `c1`, .. of these kinds, some of their cells missing."""
    kinds = {f"c{n}": kind for n, kind in enumerate(draw(st.lists(st.sampled_from([*KINDS]), max_size=5)))}
    rows: Rows = [{"item_id": str(n), "title": f"Title {n}"} for n in range(draw(st.integers(2, 30)))]
    for name, kind in kinds.items():
        for number, row in enumerate(rows):
            row[name] = draw(st.none() | KINDS[kind])
            if kind == "text" and row[name] is not None:
                row[name] = f"w{number}{row[name]}"  # unlike each other, as what recurs may be a list
        if kind == "list":
            rows[0][name] = ["wa", "wb"]  # one bar at least shows that it is a list
    return rows, kinds


@given(tables())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_a_table_is_the_same_from_every_format(table: tuple[Rows, dict[str, str]]) -> None:
    rows, kinds = table
    for file, write in WRITERS.items():
        with tempfile.TemporaryDirectory() as name:
            write(Path(name) / file, rows)
            source = folder_source(Path(name))
        found = {column.name: column for column in source.columns}
        left_out = {note.split()[3].rstrip(":") for note in source.notes}
        assert found.keys() | left_out == kinds.keys()
        assert not found.keys() & left_out
        assert source.items["title"].to_pylist() == [row["title"] for row in rows]
        for column, kind in kinds.items():
            values = [row[column] for row in rows]
            if column in left_out:
                assert all(value is None for value in values) or (len({*map(str, values)}) == 1 and None not in values)
                continue
            assert source.items[column].to_pylist() == values, file
            assert found[column].missing == values.count(None)
            assert found[column].is_list == (kind == "list")
            whole = kind == "number" and all(value is None or value.is_integer() for value in values)
            assert found[column].type == ("integer" if whole else "text" if kind == "list" else kind)


@given(st.lists(st.tuples(st.integers(0, 10**6), TEXT), min_size=20, max_size=60), st.data())
@settings(max_examples=60)
def test_a_corrupt_cell_is_named(rows: Sequence[tuple[int, str]], data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, len(rows) - 1))
    broken = data.draw(st.sampled_from(["abc", "1,2", "--", "12 m", "1e", "１x"]))
    table: Rows = [
        {"item_id": n, "title": "T", "note": note, "size": broken if n == wrong else size}
        for n, (size, note) in enumerate(rows)
    ]
    line = 2 + wrong + sum(note.count("\n") for _, note in rows[:wrong])  # quoted cells may hold line ends
    with tempfile.TemporaryDirectory() as name:
        write_csv(Path(name) / "items.csv", table)
        with pytest.raises(CatalogError) as error:
            folder_source(Path(name))
    assert f"items.csv: line {line}: column size: {broken!r} is no number" in str(error.value)


@given(st.binary(max_size=300), st.sampled_from(["items_csv", "items_csv_gz", "items_jsonl", "items_parquet"]))
def test_rubbish_is_an_error_in_one_line(content: bytes, file: str) -> None:
    with pytest.raises(CatalogError) as error:
        read(**{file: content})
    assert "\n" not in str(error.value)


@given(st.lists(st.tuples(st.text(), st.text("[]'\"1.e+-|;, \\na\0")), min_size=1, max_size=30))
@settings(max_examples=50)
def test_any_cell_is_read(rows: list[tuple[str, str]]) -> None:
    """Whatever a cell holds, the row count is right, or the cell is what the error names."""
    table = [{"item_id": n, "title": f"T{n}", "a": a, "b": b} for n, (a, b) in enumerate(rows)]
    with tempfile.TemporaryDirectory() as name:
        write_csv(Path(name) / "items.csv", table)
        try:
            items = folder_source(Path(name)).items
        except CatalogError as error:
            assert " is no " in str(error)  # noqa: PT017 - only some tables are refused
        else:
            assert len(items) == len(rows)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"items_csv": ""}, "items.csv: line 1: is empty; it must name the columns"),
        ({"items_csv": "item_id,title\n"}, "items.csv: has no rows"),
        ({"items_csv": "item_id,title\n1,One\n2\n"}, "items.csv: line 3: 1 cells, the header has 2 columns"),
        ({"items_csv": 'item_id,title\n1,One\n2,"Two\n3,T\n'}, "items.csv: line 3: not csv: a quote is opened here"),
        ({"items_csv": 'item_id,title\n1,"One"x\n'}, "items.csv: line 2: not csv: ',' expected after '\"'"),
        ({"items_csv": b"item_id,title\n1,One\n2,Caf\xe9\n"}, "items.csv: line 3: not UTF-8"),
        ({"items_csv_gz": gzip.compress(ITEMS.encode())[:-9]}, "items.csv.gz: not a whole gzip file"),
        ({"items_csv": ITEMS + "4,,40\n"}, "items.csv: line 5: column title: is empty"),
        ({"items_csv": ITEMS + " ,Four,40\n"}, "items.csv: line 5: column item_id: is empty"),
        ({"items_csv": ITEMS + "2,Four,40\n"}, "items.csv: line 5: column item_id: '2' is the id of line 3 too"),
        ({"items_csv": "name,size\nOne,1\n"}, "items.csv: line 1: no column item_id or id"),
        ({"items_csv": "id,size\n1,1\n"}, "items.csv: line 1: no column title or name; it has id, size"),
        ({"items_jsonl": '{"id": 1, "title": "One"}\n{"id": 2,\n'}, "items.jsonl: line 2: not JSON: "),
        ({"items_jsonl": '{"id": 1, "title": "One"}\n[1]\n'}, "items.jsonl: line 2: not a JSON object"),
        ({"items_jsonl": '{"id": 1, "title": "\\ud800"}\n'}, "items.jsonl: line 1: not JSON: "),
        ({"items_jsonl": '{"id": 1, "title": "One", "a": Infinity}\n'}, "items.jsonl: line 1: not JSON: Infinity"),
        ({"items_jsonl": '{"id": 1, "title": "One"}\n{"id": 2}\n'}, "items.jsonl: line 2: column title: is empty"),
        ({"items_jsonl": '{"id": [1], "title": "One"}\n'}, "items.jsonl: column id holds lists"),
        ({"items_parquet": b"PAR1 no"}, "items.parquet: not a parquet file"),
    ],
)
def test_items_that_cannot_be_used(files: dict[str, str | bytes], message: str) -> None:
    assert problem(**files).startswith(message)


def test_a_folder_without_items(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no items file here; it is one of items\.csv, "):
        folder_source(tmp_path)
    with pytest.raises(CatalogError, match="no such folder"):
        folder_source(tmp_path / "absent")
    for file in ("items.csv", "items.jsonl"):
        (tmp_path / file).touch()
    with pytest.raises(CatalogError, match=r"holds items\.csv and items\.jsonl; keep one"):
        folder_source(tmp_path)


def cells(*values: str) -> Source:
    """A source whose column `c` has these cells."""
    lines = "".join(f'{n},T{n},"{value}"\n' for n, value in enumerate(values))
    return read(items_csv=f"item_id,title,c\n{lines}")


@pytest.mark.parametrize(
    ("values", "kind", "read_as"),
    [
        (["1", "+2", "-3", "4.0"], "integer", [1, 2, -3, 4]),
        (["1", ".5", "2e3", "NA"], "number", [1.0, 0.5, 2000.0, None]),
        (["007", "12", "300"], "text", ["007", "12", "300"]),
        (["12345678901234567890", "1", "2"], "text", ["12345678901234567890", "1", "2"]),
        (["1e999", "x", "y"], "text", ["1e999", "x", "y"]),
        (["Yes", "no", "YES"], "boolean", [True, False, True]),
        (["t", "f", ""], "boolean", [True, False, None]),
        (["t", "t", ""], "text", ["t", "t", None]),
        ([" a ", "b", "  "], "text", ["a", "b", None]),
        (["2001-02-03", "1999-12-31T10:00:00"], "date", [datetime.date(2001, 2, 3), datetime.date(1999, 12, 31)]),
        (["2001-02-30", "x"], "text", ["2001-02-30", "x"]),
        (["a|b", "b", " c | |"], "list of text", [["a", "b"], ["b"], ["c"]]),
        (["1|2", "3", ""], "list of integer", [[1, 2], [3], None]),
        (["[1, 2]", "[3]", "[]"], "list of integer", [[1, 2], [3], None]),
        (["['it''s', 'b']", "['c']"], "list of text", [["its", "b"], ["c"]]),
        (["red; green", "red"], "list of text", [["red", "green"], ["red"]]),
        (
            ["jazz, rock", "rock, jazz, folk", "folk", "jazz", "rock, folk"],
            "list of text",
            [["jazz", "rock"], ["rock", "jazz", "folk"], ["folk"], ["jazz"], ["rock", "folk"]],
        ),
        (["Bonn, Germany", "Kiel, Germany", "Bonn, Germany"] * 2, "text", ["Bonn, Germany", "Kiel, Germany"] * 0),
    ],
)
def test_types(values: list[str], kind: str, read_as: list[Any]) -> None:
    source = cells(*values)
    (column,) = source.columns
    assert ("list of " if column.is_list else "") + column.type == kind
    assert source.items["c"].to_pylist() == (read_as or values)


@pytest.mark.parametrize("marker", sorted(NO_VALUE))
def test_what_programs_write_for_a_missing_value(marker: str) -> None:
    assert cells("1", marker, "2").items["c"].to_pylist() == [1, None, 2]


def test_columns_nobody_asks_for_are_left_out() -> None:
    source = read(
        items_csv=",id,title,imdb_id,poster,same,none,kept\n"
        "0,1,One,tt1,https://a.b/c,x,,5\n"
        "1,2,Two,tt2,https://a.b/d,x,,6\n"
    )
    assert [column.name for column in source.columns] == ["kept"]
    assert source.items.column_names == ["item_id", "title", "kept"]
    assert source.notes == (
        "items.csv: left out column 1: it has no name",
        "left out column imdb_id: it holds identifiers",
        "left out column poster: it holds links",
        "left out column same: it is the same everywhere",
        "left out column none: it is empty",
    )


def test_nested_json_is_left_out_and_loose_lists_are_read() -> None:
    source = read(
        items_jsonl='{"id": 1, "title": 1984, "crew": [{"name": "A"}], "genre": "Drama"}\n\n'
        '{"id": 2, "title": "Two", "genre": ["War", "Drama"], "late": true}\n'
        '{"id": 3, "title": "Three", "late": false}\n'
    )
    assert source.items.to_pylist() == [
        {"item_id": "1", "title": "1984", "genre": ["Drama"], "late": None},
        {"item_id": "2", "title": "Two", "genre": ["War", "Drama"], "late": True},
        {"item_id": "3", "title": "Three", "genre": None, "late": False},
    ]
    assert source.notes == ("items.jsonl: left out column crew: it holds more than texts, numbers and lists of them",)


def test_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1.0, 2.0]),
            "title": pa.array(["One", "Two"]).dictionary_encode(),
            "year": pa.array([1999.0, None]),
            "when": pa.array([datetime.datetime(2001, 2, 3, 4, 5), None]),
            "small": pa.array([1, 2], pa.uint8()),
            "tags": pa.array([["a"], []], pa.large_list(pa.large_string())),
            "deep": pa.array([{"a": 1}, None]),
        }
    )
    pq.write_table(table, tmp_path / "items.parquet")
    assert folder_source(tmp_path).items.to_pylist() == [
        {"item_id": "1", "title": "One", "year": 1999, "when": datetime.date(2001, 2, 3), "small": 1, "tags": ["a"]},
        {"item_id": "2", "title": "Two", "year": None, "when": None, "small": 2, "tags": None},
    ]


def test_years_come_from_a_column_or_from_titles() -> None:
    source = read(items_csv='id,title\n1,Brazil (1985)\n2,"Trial, The (Procès, Le) (1962)"\n3,Babylon 5\n')
    assert source.items.to_pylist() == [
        {"item_id": "1", "title": "Brazil", "year": 1985, "alternate_titles": None},
        {"item_id": "2", "title": "The Trial", "year": 1962, "alternate_titles": ["Le Procès"]},
        {"item_id": "3", "title": "Babylon 5", "year": None, "alternate_titles": None},
    ]
    source = read(items_csv="id,title,printYear\n1,One,2001\n2,Two,1999\n")
    assert [column.name for column in source.columns] == ["year"]
    assert source.notes == ("column print_year is taken for the year",)
    source = read(items_csv="id,title,year,print_year\n1,One (2001),,1990\n2,Two (1999),1998,1991\n")
    assert source.items.to_pylist() == [
        {"item_id": "1", "title": "One", "year": 2001, "print_year": 1990},
        {"item_id": "2", "title": "Two", "year": 1998, "print_year": 1991},
    ]
    assert read(items_csv="id,title,year,a_year\n1,One,c. 90,1\n2,Two,?,2\n").items["year"].to_pylist() == [
        "c. 90",
        "?",
    ]


def test_short_vocabularies_are_enumerated() -> None:
    lines = "".join(f"{n},T{n},{'red' if n % 3 else 'blue'},word{n}\n" for n in range(12))
    colour, word = read(items_csv=f"id,title,colour,word\n{lines}").columns
    assert colour.values == ("red", "blue")
    assert (word.values, word.distinct) == (None, 12)


def test_ranges_and_missing_values() -> None:
    (size, day) = read(items_csv="id,title,size,day\n1,a,4,2001-01-02\n2,b,,2001-01-01\n3,c,-1,\n").columns
    assert (size.minimum, size.maximum, size.missing, size.distinct) == (-1, 4, 1, 2)
    assert (day.minimum, day.maximum, day.missing) == ("2001-01-01", "2001-01-02", 1)


def test_semicolons_and_tabs_separate_columns_too() -> None:
    for mark in ";\t":
        assert len(read(items_csv=ITEMS.replace(",", mark)).columns) == 1


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("movieId", "movie_id"),
        ("Release date", "release_date"),
        ("Año", "ano"),
        ("IMDb Rating (1-10)", "imdb_rating_1_10"),
        ("2nd author", "n_2nd_author"),
        ("日本", ""),
    ],
)
def test_plain_names(raw: str, plain: str) -> None:
    assert plain_name(raw) == plain


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=8))
@settings(max_examples=25)
def test_columns_never_collide(names: list[str]) -> None:
    taken: list[str] = []
    for name in names:
        taken.append(unused(plain_name(name), taken))
    assert len(set(taken)) == len(taken)
    with tempfile.TemporaryDirectory() as folder:
        row = {**{f"{name}.": n for n, name in enumerate(names)}, "item_id": "1", "title": "One", "row": 5}
        write_csv(Path(folder) / "items.csv", [row])
        source = folder_source(Path(folder))
    assert not {column.name for column in source.columns} & {"item_id", "title", "row"}
    assert len({column.name for column in source.columns}) == len(source.columns)
