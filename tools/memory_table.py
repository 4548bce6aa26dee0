"""Items that stand in no catalog folder, filtered as the catalog filters: the white list, then DuckDB."""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from tools.schema import Manifest
from tools.scorer import Rows
from tools.where import parse_order_by, parse_where


class MemoryTable:
    """A table in memory with a manifest's columns; `items` are column values by row, most popular first."""

    def __init__(self, manifest: Manifest, titles: Sequence[str], items: Sequence[dict[str, Any]]) -> None:
        self._manifest = manifest
        self._connection = duckdb.connect(":memory:")
        columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in manifest.columns)
        self._connection.execute(f"CREATE TABLE items (row INTEGER, title VARCHAR, {columns})")
        names = [column.name for column in manifest.columns]
        marks = ", ".join("?" * (len(names) + 2))
        rows = [[row, titles[row], *(item.get(name) for name in names)] for row, item in enumerate(items)]
        self._connection.executemany(f"INSERT INTO items VALUES ({marks})", rows)

    def select(self, where: str, order_by: str = "") -> Rows:
        """Rows that meet a condition, all for an empty one, in the order asked for, then by row. Raises ToolError."""
        order = f"{parse_order_by(order_by, self._manifest)}, row" if order_by else "row"
        sql, parameters = "TRUE", list[Any]()
        if where:
            parsed = parse_where(where, self._manifest)
            sql, parameters = parsed.sql, list(parsed.parameters)
        found = self._connection.execute(f"SELECT row FROM items WHERE {sql} ORDER BY {order}", parameters)
        return np.asarray(found.fetchnumpy()["row"], dtype=np.int64)
