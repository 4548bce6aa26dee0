"""The white list of `where`: what it lets through means what it says, and nothing else gets through."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tools.errors import ToolError
from tools.literals import spell_column
from tools.schema import Column, Manifest
from tools.where import Where, parse_order_by, parse_where
from tools.whitelist import FIXED

Row = dict[str, Any]
GENRES = ("Comedy", "Drama", "Film-Noir", "Horror", "Sci-Fi", "Animation")
MPAA = ("R", "PG-13", "PG", "NC-17")
MANIFEST = Manifest(
    name="tiny",
    noun="film",
    source="test",
    rows=6,
    parts={},
    build_hash="0",
    columns=(
        Column(name="year", type="integer", minimum=1902, maximum=2016),
        Column(name="genres", type="text", is_list=True, values=GENRES),
        Column(name="mpaa", type="text", values=MPAA),
        Column(name="runtime", type="integer"),
        Column(name="rating", type="number"),
        Column(name="director", type="text"),
        Column(name="cast", type="text", is_list=True),
        Column(name="colour", type="boolean"),
        Column(name="released", type="date", minimum="1994-06-23", maximum="2011-09-02"),
        Column(name="Box Office", type="number"),
    ),
)
NAMES = [column.name for column in (*FIXED, *MANIFEST.columns)]
_VALUES: list[tuple[Any, ...]] = [
    ("1", "Amélie", 2001, ["Comedy"], "R", 122, 8.3, "Jean-Pierre Jeunet", ["Audrey Tautou"], True, "2001-04-25", 3e7),
    ("2", "Heat", 1995, ["Drama", "Film-Noir"], "R", 170, 8.2, "Michael Mann", ["Al Pacino"], True, "1995-12-15", 7e7),
    ("3", "The Artist", 2011, ["Comedy", "Drama"], "PG-13", 100, 7.9, "Hazanavicius", [], False, "2011-09-02", None),
    ("4", "Unknown", None, None, None, None, None, None, None, None, None, None),
    ("5", "Empty", 1950, [], "PG", 88, 5.0, "O'Brien", ["Zoë", None], None, None, 0.0),
    ("6", "The Lion King", 1994, ["Animation"], None, 88, 8.5, "Rob Minkoff", ["Zoe"], True, "1994-06-23", 9e8),
]
ROWS: list[Row] = [dict(zip(NAMES, values, strict=True)) for values in _VALUES]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows as a table in memory."""
    connection = duckdb.connect()
    columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in (*FIXED, *MANIFEST.columns))
    connection.execute(f"CREATE TABLE items ({columns})")
    connection.executemany(f"INSERT INTO items VALUES ({', '.join('?' * len(NAMES))})", _VALUES)
    yield connection
    connection.close()


def found(database: duckdb.DuckDBPyConnection, text: str) -> set[str]:
    """The ids of the rows that the generated SQL finds."""
    where = parse_where(text, MANIFEST)
    return {
        row[0] for row in database.execute(f"SELECT item_id FROM items WHERE {where.sql}", where.parameters).fetchall()
    }


@dataclass(frozen=True)
class Sample:
    """A where as somebody may write it, and what it means."""

    text: str
    holds: Callable[[Row], bool]


def compare(name: str, operator: str, value: float) -> Sample:
    tests: dict[str, Callable[[float], bool]] = {
        "<": lambda known: known < value,
        "<=": lambda known: known <= value,
        ">": lambda known: known > value,
        ">=": lambda known: known >= value,
        "=": lambda known: known == value,
    }
    test = tests[operator]
    return Sample(f"{name} {operator} {value}", lambda row: row[name] is not None and test(row[name]))


def member(value: str, form: str) -> Sample:
    return Sample(form.format(value), lambda row: value in (row["genres"] or ()))


def one_of(name: str, values: list[str]) -> Sample:
    listed = ", ".join(f"'{value}'" for value in values)
    return Sample(f"{name} IN ({listed})", lambda row: row[name] in values)


def ends(low: int, span: int) -> Sample:
    return Sample(
        f"year BETWEEN {low} AND {low + span}", lambda row: row["year"] is not None and low <= row["year"] <= low + span
    )


def contains(part: str) -> Sample:
    return Sample(
        f"director LIKE '%{part.upper()}%'", lambda row: row["director"] is not None and part in row["director"].lower()
    )


def missing(name: str) -> Sample:
    return Sample(f"{name} IS NULL", lambda row: not row[name] and row[name] not in (False, 0))


def negate(sample: Sample) -> Sample:
    return Sample(f"NOT ({sample.text})", lambda row: not sample.holds(row))


def both(one: Sample, other: Sample) -> Sample:
    return Sample(f"({one.text}) AND {other.text}", lambda row: one.holds(row) and other.holds(row))


def either(one: Sample, other: Sample) -> Sample:
    return Sample(f"({one.text} OR {other.text})", lambda row: one.holds(row) or other.holds(row))


FORMS = [
    "'{}' IN genres",
    "genres = '{}'",
    "genres IN ('{}')",
    "list_contains(genres, '{}')",
    "array_has(GENRES, lower('{}'))",
    "list_has_any(genres, ['{0}', '{0}'])",
    "list_has_all(genres, ['{}'])",
    "'{}' = ANY(genres)",
    "genres ILIKE '%{}%'",
]
LEAVES = st.one_of(
    st.builds(
        compare,
        st.sampled_from(["year", "runtime", "rating"]),
        st.sampled_from(["<", "<=", ">", ">=", "="]),
        st.sampled_from([-1, 8.3, 88, 1950, 1995, 2001]),
    ),
    st.builds(member, st.sampled_from(GENRES), st.sampled_from(FORMS)),
    st.builds(one_of, st.just("mpaa"), st.lists(st.sampled_from(MPAA), min_size=1, max_size=3)),
    st.builds(ends, st.integers(1900, 2020), st.integers(0, 50)),
    st.builds(contains, st.sampled_from(["mann", "jean-", "z", "o"])),
    st.builds(missing, st.sampled_from(["year", "genres", "mpaa", "cast", "colour", "released"])),
)
SAMPLES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.builds(negate, inner), st.builds(both, inner, inner), st.builds(either, inner, inner)),
    max_leaves=6,
).filter(lambda sample: len(sample.text) <= 400 and sample.text.count("(") <= 12)


@given(sample=SAMPLES)
def test_result_is_what_python_says(database: duckdb.DuckDBPyConnection, sample: Sample) -> None:
    assert found(database, sample.text) == {row["item_id"] for row in ROWS if sample.holds(row)}


@given(sample=SAMPLES)
def test_canonical_text_parses_to_the_same(sample: Sample) -> None:
    where = parse_where(sample.text, MANIFEST)
    assert parse_where(where.canonical, MANIFEST) == where
    assert " AND ".join(where.conjuncts) == where.canonical
    for conjunct in where.conjuncts:
        assert set(parse_where(conjunct, MANIFEST).columns) <= set(where.columns)


WORDS = [
    *map(spell_column, NAMES),
    *("AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "ILIKE", "IS", "NULL", "TRUE", "FALSE", "lower(", "ANY("),
    *("=", "!=", "<", "<=", ">", ">=", "(", ")", ",", "[", "]", "-", "'a'", "'Comedy'", "1", "1.5", "1e400"),
    *("list_contains(", "list_has_all(", "list_has_any(", "regexp_matches(", "getenv('HOME')", "read_csv('s.csv')"),
    *("UNION", "SELECT", "*", "FROM", "items", "CASE", "WHEN", "END", "EXISTS(", "PRAGMA", "COPY", "ATTACH", "AS"),
    *(";", "--", "/*", "*/", "::", "||", "->", "~", "?", "$1", ".", "+", '"', "'", "{", "}", ":", "@", "E'x'", "$$x$$"),
    *("lambda", "ESCAPE", "INTERVAL", "DATE", "CAST(", "OVER", "FILTER", "COLLATE", "AT TIME ZONE", "IF(", "XOR", "if"),
]
ALLOWED = (
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like),
    *(exp.Is, exp.Null, exp.Boolean, exp.Column, exp.Identifier, exp.Placeholder, exp.Literal, exp.Lower),
    *(exp.ArrayContains, exp.Coalesce, exp.Length, exp.Lambda, exp.Transform, exp.Anonymous),
)


def read(text: str) -> Where | ToolError:
    try:
        return parse_where(text, MANIFEST)
    except ToolError as refusal:
        return refusal


def check(database: duckdb.DuckDBPyConnection, text: str) -> None:
    """Either a ToolError, or SQL of nothing but our own nodes over the catalog's columns, which DuckDB runs."""
    where = read(text)
    if isinstance(where, ToolError):
        assert "\n" not in str(where)
        return
    for node in sqlglot.parse_one(where.sql, read="duckdb").walk():
        assert isinstance(node, ALLOWED), repr(node)
        if isinstance(node, exp.Anonymous):
            assert node.name in {"strip_accents", "list_bool_or"}
        if isinstance(node, exp.Column):
            assert node.name in {*NAMES, "element"}
            assert not node.table
        if isinstance(node, exp.Literal):
            assert node.this == "0"
    assert parse_where(where.canonical, MANIFEST) == where
    database.execute(f"SELECT item_id FROM items WHERE {where.sql}", where.parameters).fetchall()


@given(words=st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=300)
def test_mixed_fragments_are_refused_or_harmless(database: duckdb.DuckDBPyConnection, words: list[str]) -> None:
    check(database, " ".join(words))


@given(text=st.text(max_size=80))
@example(text="\x00 = 1")
@example(text="title = '\ud800'")
@example(text="((((" * 100)
@example(text="NOT " * 120 + "colour")
@example(text="- " * 200 + "1")
@example(text="year = " + "9" * 480)
def test_any_text_is_refused_or_harmless(database: duckdb.DuckDBPyConnection, text: str) -> None:
    check(database, text)


@given(sample=SAMPLES, word=st.sampled_from(WORDS), place=st.integers(0, 60), cut=st.integers(0, 5))
@settings(max_examples=200)
def test_damaged_wheres_are_refused_or_harmless(
    database: duckdb.DuckDBPyConnection, sample: Sample, word: str, place: int, cut: int
) -> None:
    check(database, f"{sample.text[:place]} {word} {sample.text[place + cut :]}")


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_any_literal_comes_back_as_it_was(text: str) -> None:
    where = parse_where("title = '" + text.replace("'", "''") + "'", MANIFEST)
    assert where.parameters == (text,)
    assert parse_where(where.canonical, MANIFEST) == where


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("genres = 'sci fi'", "'Sci-Fi' IN genres"),
        ("genres = 'scifi' and mpaa = 'pg13'", "'Sci-Fi' IN genres AND mpaa = 'PG-13'"),
        ("genres IN ('comedies', 'comedy film')", "'Comedy' IN genres"),
        ("'film noir' IN genres", "'Film-Noir' IN genres"),
        ("'horor' IN genres", "'Horror' IN genres"),
        ("genres != 'Horror'", "NOT ('Horror' IN genres)"),
        ("genres NOT IN ('Horror', 'Drama')", "NOT ('Horror' IN genres) AND NOT ('Drama' IN genres)"),
        ("list_has_all(genres, ['Drama', 'Horror'])", "'Drama' IN genres AND 'Horror' IN genres"),
        ("NOT (year > 1990 AND mpaa = 'R')", "NOT (year > 1990) OR mpaa != 'R'"),
        ("NOT NOT mpaa = 'R'", "mpaa = 'R'"),
        ("mpaa LIKE 'PG%'", "mpaa IN ('PG-13', 'PG')"),
        ("mpaa NOT IN ('R', 'R')", "mpaa != 'R'"),
        ("year = '1999' AND (YEAR = 1999.0)", "year = 1999"),
        ("1990 <= year", "year >= 1990"),
        ("colour", "colour = TRUE"),
        ("NOT colour", "colour != TRUE"),
        ("colour IS NOT FALSE", "colour != FALSE"),
        ("lower(title) = UPPER('heat')", "title = 'heat'"),
        ("director LIKE 'Michael Mann'", "director = 'Michael Mann'"),
        ("title NOT LIKE '%x%'", "title NOT ILIKE '%x%'"),
        ("item_id IN (1, 2)", "item_id IN ('1', '2')"),
        ('"box office" > 1e6', '"Box Office" > 1000000'),
        ("mpaa = 'R' OR mpaa = 'PG' AND year > 1", "mpaa = 'R' OR (mpaa = 'PG' AND year > 1)"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    assert parse_where(text, MANIFEST).canonical == canonical


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("NOT mpaa = 'R'", {"3", "4", "5", "6"}),  # what is unrated is kept
        ("NOT ('Comedy' IN genres)", {"2", "4", "5", "6"}),  # and so is what has no genres
        ("NOT year > 1994", {"4", "5", "6"}),
        ("genres IS NULL", {"4", "5"}),
        ("title = 'AMELIE'", {"1"}),
        ("'zoe' IN cast", {"5", "6"}),
        ("cast LIKE '%tautou%'", {"1"}),
        ("director = 'o''brien'", {"5"}),
        ("released >= '2001-01-01'", {"1", "3"}),
        ("title < 'F'", {"1", "5"}),
    ],
)
def test_meaning(database: duckdb.DuckDBPyConnection, text: str, ids: set[str]) -> None:
    assert found(database, text) == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1=1) UNION SELECT * FROM read_csv('secrets.csv') --",
            r"UNION is not allowed in where; allowed: columns item_id,",
        ),
        ("", "where is empty; leave the call out"),
        ("  -- nothing", "where is empty"),
        ("year = 1 -- more", "a comment is not allowed"),
        ("year = 1; DROP TABLE items", "; is not allowed"),
        ("year = (SELECT 1)", "SELECT is not allowed"),
        ("regexp_matches(title, 'x')", r"the function regexp_matches\(\) is not allowed"),
        ("year::int = 1", ":: is not allowed"),
        ("CAST(year AS int) = 1", r"the function CAST\(\) is not allowed"),
        ("cast[1] = 'x'", "BRACKET is not allowed"),
        ("year - 1 = 2", "SUB is not allowed"),
        ("title = 'a' 'b'", "CONCAT is not allowed"),
        ("title LIKE 'a' ESCAPE 'b'", "ESCAPE is not allowed"),
        ("items.year = 1", "no column 'items'"),
        ('items."year" = 1', "no column 'items'"),
        ('"items".year = 1', r"\. is not allowed"),
        ("genre = 'Comedy'", "no column 'genre'; the nearest is genres; columns: item_id, title, year"),
        ('mpaa = "R"', "is no value; write a number, or a text in 'single quotes'"),
        ("genres = 'Western'", "genres has no value 'Western'; its values: Comedy, Drama"),
        ("genres LIKE '%western%'", "genres has no value 'western'"),
        ("year = 'abc'", "year is integer, 1902 to 2016: 'abc' is not a number"),
        ("year = TRUE", "year is integer.*TRUE is not a number"),
        ("year = 1e400", "Infinity is not a number up to"),
        ("title < 5", "title is text: 5 is not a text"),
        ("genres > 3", "genres is a list of text and has no order for >"),
        ("genres BETWEEN 'a' AND 'b'", "genres is a list of text and has no order"),
        ("mpaa > 'PG'", "mpaa is text and has no order"),
        ("colour = 'maybe'", "colour is boolean: 'maybe' is not TRUE or FALSE"),
        ("released > 1999", "released is date, 1994-06-23 to 2011-09-02: 1999 is not a date"),
        ("runtime LIKE '9%'", "runtime is integer: LIKE compares texts"),
        ("year = NULL", "write COLUMN IS NULL"),
        ("year IS 5", "IS with anything but NULL is not allowed"),
        ("year IN ()", "IN has an empty list"),
        ("1990 < year < 2000", "write a range as: COLUMN BETWEEN LOW AND HIGH"),
        ("year = runtime", "runtime is no value"),
        ("title", "title alone is no condition"),
        ("1 = 1", "compares no column with a value"),
        ("genres = ['Comedy']", "is no value"),
        ("list_has_all(genres)", r"list_has_all\(\) with 1 arguments"),
        ("year = 1 AND", "does not parse at 'AND'"),
        ("title = 'O'Brien'", "a quote is not closed"),
        ("(" * 13 + "year = 1" + ")" * 13, "nested too deeply; at most 12"),
        ("year = 1" + " " * 500, "508 characters"),
        (" OR ".join(f"year={year}" for year in range(41)), "41 conditions; at most 40"),
        (
            "title IN (" + ",".join(f"'{number}'" for number in range(100)) + ")",
            "characters with its values spelled out",
        ),
    ],
)
def test_refusal_says_what_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        parse_where(text, MANIFEST)


def test_long_vocabulary_shows_the_nearest_values() -> None:
    countries = tuple(f"Country {number}" for number in range(40))
    manifest = MANIFEST.model_copy(update={"columns": (Column(name="country", type="text", values=countries),)})
    with pytest.raises(ToolError, match=r"the nearest of its 40 values: (Country \d+, ){9}Country \d+$"):
        parse_where("country = 'Contry'", manifest)
    with pytest.raises(ToolError, match="has no value 'Country 99'"):
        parse_where("country = 'Country 99'", manifest)


def test_pattern_over_many_values_stays_a_pattern() -> None:
    values = tuple(f"{decade}s" for decade in range(1900, 2000, 10))
    manifest = MANIFEST.model_copy(update={"columns": (Column(name="decade", type="text", values=values),)})
    assert parse_where("decade LIKE '19%'", manifest).canonical == "decade ILIKE '19%'"
    assert parse_where("decade LIKE '196%'", manifest).canonical == "decade = '1960s'"
    with pytest.raises(ToolError, match="no value '1890s'"):
        parse_where("decade = '1890s'", manifest)


@pytest.mark.parametrize(
    "name", ["from", "select", "order", "date", "if", "cast", "left", "Größe", "a b", 'x"y', "UNION", "map"]
)
def test_every_column_name_can_be_said(name: str) -> None:
    manifest = MANIFEST.model_copy(update={"columns": (Column(name=name, type="integer"),)})
    said = spell_column(name)
    text = f"{said} = 1 AND {said} IS NOT NULL AND 2 <= {said} AND NOT ({said} BETWEEN 3 AND 4 OR {said} IN (5, 6))"
    assert parse_where(text, manifest).columns == (name,)


def test_order_by() -> None:
    assert parse_order_by("Year desc, title", MANIFEST) == '"year" DESC NULLS LAST, "title" ASC NULLS LAST'
    assert parse_order_by('"Box Office" DESC NULLS FIRST', MANIFEST) == '"Box Office" DESC NULLS LAST'
    for text in ("", "year; DROP", "year + 1", "random()", "year desc,", "1", "(SELECT 1)"):
        with pytest.raises(ToolError, match=r"order_by|no column"):
            parse_order_by(text, MANIFEST)
    with pytest.raises(ToolError, match="genres is a list of text and has no order"):
        parse_order_by("genres", MANIFEST)
