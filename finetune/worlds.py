"""Catalogs to compose requests over: the real one at hand, views of it with fewer columns, and generated ones.

A world runs a plan's filter the way the product does, through the white list of tools.where on DuckDB.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from finetune.lexicon import ColumnWords, Domain
from tools.catalog import Catalog
from tools.memory_table import MemoryTable
from tools.schema import Column, Manifest
from tools.scorer import Rows
from tools.value_index import ValueIndex, name_columns, named_values
from tools.where import parse_order_by, parse_where

ROWS = 600  # items of a generated catalog
ENUMERATED = 60  # values a list shown to the model may have


@dataclass(frozen=True)
class World:
    """`items` are column values by row, most popular first; `words` how each column of the card is spoken of."""

    manifest: Manifest
    domain: Domain
    words: dict[str, ColumnWords]
    titles: Sequence[str]
    items: Sequence[dict[str, Any]]
    catalog: Catalog | None = None

    @cached_property
    def _table(self) -> MemoryTable:
        return MemoryTable(self.manifest, self.titles, self.items)

    def select(self, where: str, order_by: str = "") -> Rows:
        """Rows that meet a condition, in order. Raises ToolError."""
        if self.catalog is None:
            return self._table.select(where, order_by)
        order = parse_order_by(order_by, self.manifest) if order_by else ""
        if not where:
            return self.catalog.select("TRUE", [], order)
        parsed = parse_where(where, self.manifest)
        return self.catalog.select(parsed.sql, list(parsed.parameters), order)

    @cached_property
    def value_index(self) -> ValueIndex:
        names = name_columns(self.manifest.columns)
        return ValueIndex.of(
            self.manifest, named_values({name: [item.get(name) for item in self.items] for name in names})
        )

    @cached_property
    def main(self) -> str:
        """The column that says what kind of thing an item is, first of all: the first vocabulary that is a list."""
        held = [column for column in self.manifest.enumerated() if column.name in self.words]
        return next((column.name for column in held if column.is_list), held[0].name if held else "")

    @cached_property
    def splitting(self) -> Column | None:
        """The enumerated column that splits the items best: the highest entropy (bits) times the share that has it."""
        scored = [(self._entropy(column), column.name) for column in self.manifest.enumerated()]
        best = max(scored, default=None)
        return None if best is None else self.manifest.column(best[1])

    def _entropy(self, column: Column) -> float:
        counts: Counter[str] = Counter()
        present = 0
        for item in self.items:
            value = item.get(column.name)
            if value not in (None, [], ()):
                present += 1
                counts.update(value if isinstance(value, (list, tuple)) else [value])
        total = sum(counts.values())
        bits = -sum(n / total * math.log2(n / total) for n in counts.values())
        return bits * present / max(1, len(self.items))


def real_world(catalog: Catalog, domain: Domain) -> World:
    """The catalog at hand with the words of its domain; columns nobody has words for stay on the card, unspoken."""
    words = {column.name: column for column in domain.columns if catalog.manifest.column(column.name)}
    items = [dict(item.values) for item in catalog.items(range(len(catalog)))]
    return World(catalog.manifest, domain, words, [str(title) for title in catalog.titles], items, catalog)


def view(world: World, chance: random.Random) -> World:
    """The same items with some of their columns, in another order."""
    columns = [
        column for column in world.manifest.columns if chance.random() < 0.6 or column.name in ("year", "genres")
    ]
    chance.shuffle(columns)
    people = world.manifest.interactions if chance.random() < 0.6 else 0
    manifest = world.manifest.model_copy(update={"columns": tuple(columns), "interactions": people})
    kept = {column.name for column in columns}
    words = {name: said for name, said in world.words.items() if name in kept}
    return World(manifest, world.domain, words, world.titles, world.items, world.catalog)


def generated_world(domain: Domain, chance: random.Random) -> World:
    """A catalog that never was: some of the domain's columns under one of their names, with random items."""
    most = len(domain.columns)
    chosen = chance.sample(domain.columns, chance.randint(min(4, most), most))
    words: dict[str, ColumnWords] = {}
    for column in chosen:
        name = chance.choice([column.name, column.name, *column.other_names])
        words.setdefault(name if name not in words else column.name, column)
    parts = [[chance.choice(part) for part in domain.title_parts] for _ in range(ROWS)]
    titles = [" ".join(words) for words in parts] if domain.title_parts else chance.choices(domain.titles, k=ROWS)
    makers = {name: _maker(column, chance) for name, column in words.items()}
    items = [{name: make() for name, make in makers.items()} for _ in titles]
    columns = [_column(name, column, [item[name] for item in items], chance) for name, column in words.items()]
    manifest = Manifest(
        name=domain.noun,
        noun=domain.noun if chance.random() < 0.7 else chance.choice(domain.nouns),
        source="generated",
        rows=ROWS,
        interactions=1 if chance.random() < 0.5 else 0,
        columns=tuple(columns),
        parts={},
        build_hash="",
    )
    return World(manifest, domain, words, titles, items)


def _maker(column: ColumnWords, chance: random.Random) -> Callable[[], Any]:
    """A function that draws one item's value."""
    missing = 0.0 if chance.random() < 0.6 else 0.1

    def draw() -> Any:  # noqa: PLR0911 (one a type of column)
        if column.values:
            if column.is_list:
                return chance.sample(offered, min(len(offered), chance.choice([1, 1, 2, 2, 3, 4])))
            return chance.choice(offered)
        if column.type == "boolean":
            return chance.random() < 0.5
        if column.type == "text":
            return chance.sample(column.examples, 2) if column.is_list else chance.choice(column.examples)
        low, high = column.range or (0, 100)
        if column.kind == "count":
            return int(low + (high - low) * chance.random() ** 6)
        share = (chance.random() + chance.random()) / 2
        if column.type == "date":
            return f"{int(low + (high - low) * share)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        value = low + (high - low) * share
        return round(value) if column.type == "integer" else round(value, 1)

    values = list(column.values)
    offered = values if len(values) < 8 else chance.sample(values, chance.randint(6, len(values)))
    return lambda: None if missing and chance.random() < missing else draw()


def _column(name: str, words: ColumnWords, values: list[Any], chance: random.Random) -> Column:
    counts: Counter[str] = Counter()
    for value in values:
        counts.update(value if isinstance(value, list) else [value] if value is not None else [])
    enumerated = tuple(str(value) for value, _ in counts.most_common()) if words.values else None
    numbers = [value for value in counts if words.type in ("integer", "number", "date")]
    bounds: list[Any] = [min(numbers), max(numbers)] if numbers else [None, None]
    low, high = (float(bound) if isinstance(bound, (int, float)) else bound for bound in bounds)
    return Column(
        name=name,
        type=words.type,
        is_list=words.is_list,
        values=enumerated,
        minimum=low,
        maximum=high,
        distinct=len(counts),
        missing=sum(value is None for value in values),
        note=chance.choice(words.notes),
    )
