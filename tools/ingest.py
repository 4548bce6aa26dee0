"""A source from a folder: `items` and, where there are any, `interactions`, of whatever kind of thing."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tools.errors import CatalogError
from tools.inference import Misfit, infer, narrow
from tools.interactions import read_interactions
from tools.names import unused
from tools.schema import Column
from tools.source import Source, add_rating_columns, clean_titles, describe
from tools.tabular import SUFFIXES, Table, read_table
from tools.titles import split_year

TITLES = ("title", "name")
NOTES = {
    "alternate_titles": "other titles",
    "rating_count": "ratings by people here",
    "rating_mean": "mean rating by people here",
}
_IDENTIFIER = re.compile(r"(?:^|_)(?:id|isbn\d*|asin|ean|uuid|guid)$")
_LINK = r"^(?:https?://|www\.)\S+$"
_MOSTLY = 0.95  # share of a column's cells that tell what the column is


def folder_source(folder: Path) -> Source:
    """Raises CatalogError naming file, line (record, for parquet) and column of what cannot be used."""
    path = _find(folder, "items")
    if path is None:
        raise CatalogError(f"{folder}: no items file here; it is one of items{', items'.join(SUFFIXES)}")
    table = read_table(path)
    id_name = _id_column(table)
    items, notes = _items(table, id_name)
    interactions = None
    path = _find(folder, "interactions")
    if path is not None:
        interactions, more = read_interactions(path, items["item_id"], id_name)
        notes += more
    items = add_rating_columns(items, interactions)
    columns = describe(items, NOTES)
    dropped = _useless(items, columns)
    notes += [f"left out column {name}: {reason}" for name, reason in dropped.items()]
    columns = tuple(column for column in columns if column.name not in dropped)
    return Source(
        name=folder.resolve().name,
        noun="item" if id_name in ("id", "item_id") else id_name.removesuffix("_id"),
        source=f"the folder {folder.resolve().name}",
        licence="",
        items=items.select(["item_id", "title", *(column.name for column in columns)]),
        interactions=interactions,
        columns=columns,
        notes=tuple(notes),
    )


def _find(folder: Path, name: str) -> Path | None:
    if not folder.is_dir():
        raise CatalogError(f"{folder}: no such folder")
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").exists()]
    if len(found) > 1:
        raise CatalogError(f"{folder}: holds {' and '.join(path.name for path in found)}; keep one of them")
    return found[0] if found else None


def _id_column(table: Table) -> str:
    """item_id, id, or the first column ending in _id that has another value in each row."""
    keys = [name for name in table.columns if name.endswith("_id") and _is_key(table.columns[name])]
    found = table.find(["item_id", "id", *keys])
    if found is None:
        raise CatalogError(f"{table.path}: line 1: no column item_id or id, or ending in _id without repeats")
    return found


def _is_key(cells: pa.ChunkedArray) -> bool:
    return not pa.types.is_list(cells.type) and pc.count_distinct(cells, mode="only_valid").as_py() == len(cells)


def _items(table: Table, id_name: str) -> tuple[pa.Table, list[str]]:
    """The table's columns with their types, item_id and title first, and notes on what is not as in the file."""
    title_name = table.find(TITLES)
    if title_name is None:
        raise CatalogError(f"{table.path}: line 1: no column title or name; it has {', '.join(table.named.values())}")
    ids, notes = _ids(table, id_name), list(table.notes)
    titles, years = _split_years(table.texts(title_name).to_pylist())
    others = [name for name in table.columns if name not in (id_name, title_name)]
    columns = {name if name != "row" else unused(name, others): _typed(table, name) for name in others}
    columns = _with_year(columns, years, notes)
    shown, alternates = clean_titles(titles, columns["year"].to_pylist() if "year" in columns else years)
    if any(alternates):
        texts = pa.array([names or None for names in alternates], pa.list_(pa.string()))
        columns[unused("alternate_titles", columns)] = texts
    return pa.table({"item_id": ids, "title": pa.array(shown, pa.string()), **columns}), notes


def _ids(table: Table, name: str) -> pa.ChunkedArray:
    ids, seen = table.texts(name), dict[str, int]()
    for row, item_id in enumerate(ids.to_pylist()):
        if item_id in seen:
            table.fail(row, name, f"{item_id!r} is the id of {table.place(seen[item_id])} too")
        seen[item_id] = row
    return ids


def _split_years(titles: Sequence[str]) -> tuple[list[str], list[int | None]]:
    """Titles without the years in brackets after them, where most have one, and those years."""
    split = [split_year(title) for title in titles]
    if sum(year is not None for _, year in split) * 2 < len(titles):
        return list(titles), [None] * len(titles)
    return [title for title, _ in split], [year for _, year in split]


def _with_year(columns: dict[str, Any], years: Sequence[int | None], notes: list[str]) -> dict[str, Any]:
    """The columns with one called year where one is a year or the titles have it; those of the titles fill its gaps."""
    if "year" not in columns:
        whole = [name for name, cells in columns.items() if pa.types.is_integer(cells.type)]
        name = next((name for name in whole if name.endswith("_year")), None)
        if name is not None:
            columns = {"year" if other == name else other: cells for other, cells in columns.items()}
            notes.append(f"column {name} is taken for the year")
    if not any(years):
        return columns
    if "year" not in columns:
        return {"year": pa.array(years, pa.int64()), **columns}
    if pa.types.is_integer(columns["year"].type):
        columns["year"] = pc.coalesce(columns["year"], pa.array(years, pa.int64()))
    return columns


def _typed(table: Table, name: str) -> pa.Array | pa.ChunkedArray:
    """A column with its type; an empty list is a missing one."""
    cells = table.columns[name]
    if pa.types.is_string(cells.type):
        try:
            cells = infer(cells.to_pylist())
        except Misfit as misfit:
            table.fail(misfit.row, name, f"{misfit.cell!r} is no {misfit.kind}, as the others are; mend or empty it")
    if pa.types.is_list(cells.type):
        return pc.if_else(pc.greater(pc.list_value_length(cells), 0), cells, None)
    return narrow(cells)


def _useless(items: pa.Table, columns: Sequence[Column]) -> dict[str, str]:
    """Columns that nobody asks for, and why."""
    reasons = {}
    for column in columns:
        filled = len(items) - column.missing
        if not filled:
            reasons[column.name] = "it is empty"
        elif column.distinct == 1 and not column.missing and len(items) > 1:
            reasons[column.name] = "it is the same everywhere"
        elif column.sql_type == "VARCHAR" and _share(pc.match_substring_regex(items[column.name], _LINK)) > _MOSTLY:
            reasons[column.name] = "it holds links"
        elif _IDENTIFIER.search(column.name) and column.distinct > _MOSTLY * filled:
            reasons[column.name] = "it holds identifiers"
    return reasons


def _share(truths: pa.ChunkedArray) -> float:
    return float(pc.mean(truths.cast(pa.float64())).as_py())
