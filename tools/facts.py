"""Facts about items that are written down apart from their source: a JSON line each, joined by item_id."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tools.errors import CatalogError

# Column -> where a line has it; a list column is one of texts.
LISTS = ("director", "cast", "country", "language", "keywords", "mood", "content")
TEXTS = {"setting_place": ("setting", "place"), "setting_period": ("setting", "period"), "logline": ("logline",)}


def read_facts(path: Path) -> dict[str, dict[str, Any]]:
    """Facts by item_id. Raises CatalogError naming file and line."""
    facts = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                fact = json.loads(line)
                facts[str(fact["item_id"])] = fact
            except (ValueError, KeyError, TypeError) as error:
                raise CatalogError(f"{path}: line {number}: not a JSON object with an item_id ({error})") from error
    return facts


def add_facts(items: pa.Table, facts: dict[str, dict[str, Any]]) -> pa.Table:
    """`items` with a column for every kind of fact; empty for items nobody has written about."""
    found: Sequence[dict[str, Any]] = [facts.get(item_id, {}) for item_id in items["item_id"].to_pylist()]
    for name in LISTS:
        items = items.append_column(name, pa.array([fact.get(name) for fact in found], pa.list_(pa.string())))
    for name, keys in TEXTS.items():
        items = items.append_column(name, pa.array([_inside(fact, keys) for fact in found], pa.string()))
    return items


def _inside(fact: dict[str, Any], keys: Sequence[str]) -> str | None:
    value: Any = fact
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value or None
