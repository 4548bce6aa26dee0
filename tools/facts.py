"""Facts about items that are written down apart from their source: a JSON object a line, joined by item_id."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tools.errors import CatalogError

Facts = dict[str, dict[str, Any]]  # item_id -> what its line says


def read_facts(path: Path) -> Facts:
    """Raises CatalogError naming file and line."""
    facts = Facts()
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                fact = json.loads(line)
                facts[str(fact["item_id"])] = fact
            except (ValueError, KeyError, TypeError) as error:
                raise CatalogError(f"{path}: line {number}: not a JSON object with an item_id ({error})") from error
    return facts


def add_facts(items: pa.Table, facts: Facts, lists: Sequence[str], texts: Mapping[str, Sequence[str]]) -> pa.Table:
    """`items` with columns of texts and of lists of texts, empty for items nobody has written about.

    `lists` are names in the facts; `texts` gives for each column the name there, or names one inside the other.
    """
    found = [facts.get(item_id, {}) for item_id in items["item_id"].to_pylist()]
    for name in lists:
        items = items.append_column(name, pa.array([fact.get(name) or None for fact in found], pa.list_(pa.string())))
    for name, keys in texts.items():
        items = items.append_column(name, pa.array([_inside(fact, keys) for fact in found], pa.string()))
    return items


def _inside(fact: dict[str, Any], keys: Sequence[str]) -> str | None:
    value: Any = fact
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value or None
