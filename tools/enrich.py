"""Descriptions from a source of the user's own, added to a built catalog, which is then built again where that matters.

What was found stands in a record beside the catalog (DIR.descriptions.jsonl), each text with where it comes from and on
what terms, so that asking again goes on where it stopped and a new build can take the descriptions over.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.build import Report, build
from tools.errors import CatalogError
from tools.schema import Manifest
from tools.source import Source, describe
from tools.tabular import read_table

COLUMN = "description"


class Answer(BaseModel):
    """What a source said of one item: a text with its attribution, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str
    text: str = ""
    source: str = ""  # where the text stands
    licence: str = ""
    problem: str = ""  # why there is no text


def record_path(catalog: Path) -> Path:
    """The record of a catalog's descriptions."""
    catalog = catalog.resolve()
    return catalog.with_name(f"{catalog.name}.descriptions.jsonl")


def read_record(path: Path) -> dict[str, Answer]:
    """Answers by item, later lines before earlier ones. Raises CatalogError naming the line that is none.

    A last line without an end is what a killed run left and does not count.
    """
    if not path.is_file():
        return {}
    *lines, torn = path.read_text(encoding="utf-8").split("\n")
    answers = {}
    for number, line in enumerate(lines, start=1):
        try:
            answer = Answer.model_validate_json(line)
        except ValidationError as error:
            raise CatalogError(f"{path}: line {number}: not an answer; delete the line or the file") from error
        answers[answer.item_id] = answer
    if torn:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return answers


def append_record(path: Path, answers: Iterable[Answer]) -> None:
    """Write each answer as it comes."""
    with path.open("a", encoding="utf-8") as record:
        for answer in answers:
            record.write(f"{answer.model_dump_json()}\n")
            record.flush()


def read_file(path: Path) -> list[Answer]:
    """The rows of a table with the columns item_id, text and, if it has one, source. Raises CatalogError."""
    table = read_table(path)
    for name in ("item_id", "text"):
        if name not in table.columns:
            raise CatalogError(f"{path}: line 1: no column {name}; it has {', '.join(table.named.values())}")
    ids, texts = table.texts("item_id").to_pylist(), table.texts("text").to_pylist()
    sources = table.texts("source").to_pylist() if "source" in table.columns else [path.name] * len(ids)
    seen: dict[str, int] = {}
    for row, item_id in enumerate(ids):
        if item_id in seen:
            table.fail(row, "item_id", f"{item_id!r} is described in {table.place(seen[item_id])} too")
        seen[item_id] = row
    rows = zip(ids, texts, sources, strict=True)
    return [Answer(item_id=item_id, text=" ".join(text.split()), source=source) for item_id, text, source in rows]


def add_file(catalog: Path, path: Path) -> list[str]:
    """Write the rows of a table to the catalog's record; gives the ids in it that the catalog does not have.

    Raises CatalogError, and has written nothing, when one of the two cannot be read or they have no item in common.
    """
    ids = set(read_catalog(catalog).items["item_id"].to_pylist())
    answers, record = read_file(path), record_path(catalog)
    if not any(answer.item_id in ids for answer in answers):
        raise CatalogError(f"{path}: no item_id in it is in the catalog {catalog}; its first is {answers[0].item_id!r}")
    old = read_record(record)
    append_record(record, [answer for answer in answers if answer.item_id in ids and old.get(answer.item_id) != answer])
    return [answer.item_id for answer in answers if answer.item_id not in ids]


def read_catalog(folder: Path) -> Source:
    """The source that a built catalog would be built from again. Raises CatalogError."""
    manifest = Manifest.read(folder)
    try:
        with closing(duckdb.connect(folder / "catalog.duckdb", read_only=True)) as con:
            items = con.sql("SELECT * EXCLUDE (row) FROM items ORDER BY row").to_arrow_table()
            interactions = con.sql(
                "SELECT user_id, item_id, rating, timestamp FROM interactions JOIN items USING (row) ORDER BY ALL"
            ).to_arrow_table()
    except duckdb.Error as error:
        raise CatalogError(
            f"{folder}: cannot be read ({str(error).splitlines()[0]}); build the catalog again"
        ) from error
    return Source(
        name=manifest.name,
        noun=manifest.noun,
        source=manifest.source,
        licence=manifest.licence,
        items=items,
        interactions=interactions if len(interactions) else None,
        columns=manifest.columns,
    )


def add_descriptions(source: Source, answers: Mapping[str, Answer]) -> Source:
    """`source` with the texts as its column `description`. Raises CatalogError when no text is of an item it has."""
    found = [answers.get(item_id) for item_id in source.items["item_id"].to_pylist()]
    texts = [(answer.text or None) if answer is not None else None for answer in found]
    if not any(texts):
        raise CatalogError(f"{source.name}: no description is of an item in the catalog")
    items = source.items
    if COLUMN in items.column_names:
        items = items.drop_columns([COLUMN])
    items = items.append_column(COLUMN, pa.array(texts, pa.string()))
    licences = {answer.licence for answer in found if answer is not None and answer.text and answer.licence}
    columns = (column for column in source.columns if column.name != COLUMN)
    return replace(
        source,
        items=items,
        columns=(*columns, *describe(items.select([COLUMN]), {})),
        licence="; ".join(dict.fromkeys([source.licence, *(f"descriptions: {name}" for name in sorted(licences))])),
    )


def enrich(folder: Path, report: Report = lambda _: None) -> Manifest:
    """Build the catalog again with the descriptions of its record. Raises CatalogError."""
    source = read_catalog(folder)
    bare = source.licence.split("; descriptions: ")[0]
    return build(add_descriptions(replace(source, licence=bare), read_record(record_path(folder))), folder, report)
