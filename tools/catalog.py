"""A built catalog at run time, and the only owner of DuckDB there."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from tools.errors import CatalogError, ToolError
from tools.literals import quote_column
from tools.schema import Manifest
from tools.scorer import Rows

if TYPE_CHECKING:
    from tools.bm25_search import BM25
    from tools.cf_recommend import EASE
    from tools.dense_search import Dense
    from tools.title_index import TitleIndex
    from tools.value_index import ValueIndex

NAMED = 100_000  # most popular items whose proper names are known in messages
LEARNED = "learned"  # folder of a catalog that holds how to rank it, where that was learned
LATEST = 0.1  # share of the interactions that are the latest
TIME_CAP = 2.0  # seconds a query may take
# Set as the database is opened and locked there: no query can change any of it, read a file or write one.
LOCKED: Mapping[str, str] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": "512MB",
    "threads": "2",
    "lock_configuration": "true",
}


@dataclass(frozen=True)
class Item:
    """One row of `items`; `values` holds the manifest's columns, None where there is no value, lists as tuples."""

    row: int
    item_id: str
    title: str
    values: dict[str, Any]

    @property
    def year(self) -> int | None:
        year = self.values.get("year")
        return year if isinstance(year, int) else None


class Catalog:
    """Opened read-only; may be shared by threads. Rows are numbers from 0, most popular items first.

    SQL texts that the methods take are put into a query as they are: they must come from tools.where, never from a
    model or a person. Values go into `parameters`.
    """

    def __init__(self, folder: Path, manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.manifest = manifest
        self._connection = connection
        found = self._fetch("SELECT item_id, title FROM items ORDER BY row")
        self.ids: NDArray[np.object_] = np.array([item_id for item_id, _ in found], dtype=object)  # shape (items,)
        self.titles: NDArray[np.object_] = np.array([title for _, title in found], dtype=object)  # shape (items,)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises CatalogError when the folder holds no catalog that can be read."""
        manifest = Manifest.read(folder)
        path = folder / "catalog.duckdb"
        if not path.is_file():
            raise CatalogError(f"{path}: missing; build the catalog again")
        try:
            return cls(folder, manifest, duckdb.connect(path, read_only=True, config={**LOCKED}))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise CatalogError(f"{path}: cannot be read ({reason}); build the catalog again") from error

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(item_id): row for row, item_id in enumerate(self.ids)}

    def row_of(self, item_id: str) -> int | None:
        """None for an id the catalog does not have."""
        return self._rows.get(item_id)

    def title(self, item_id: str) -> str | None:
        """None for an id the catalog does not have."""
        row = self.row_of(item_id)
        return None if row is None else str(self.titles[row])

    def select(self, where_sql: str, parameters: Sequence[Any] = (), order_by_sql: str = "") -> Rows:
        """Every row that meets a condition, in the order given and then by row. Raises ToolError at the time cap."""
        order = f"{order_by_sql}, row" if order_by_sql else "row"
        with self._capped() as cursor:
            query = f"SELECT row FROM items WHERE {where_sql} ORDER BY {order}"
            return np.asarray(cursor.execute(query, list(parameters)).fetchnumpy()["row"], dtype=np.int64)

    def count_values(
        self, column: str, where_sql: str = "TRUE", parameters: Sequence[Any] = (), limit: int = 50
    ) -> list[tuple[Any, int]]:
        """The values of a column among the items that meet a condition, with the number of items, most frequent first.

        A list column counts each of its elements. Raises ToolError for an unknown column and at the time cap.
        """
        known = self.manifest.column(column)
        if known is None:
            columns = ", ".join(column.name for column in self.manifest.columns)
            raise ToolError(f"no column {column!r}; there are: {columns}")
        value = f"unnest({quote_column(column)})" if known.is_list else quote_column(column)
        counted = self._fetch(
            "SELECT value, count(DISTINCT row) AS items"
            f" FROM (SELECT row, {value} AS value FROM items WHERE {where_sql})"
            " WHERE value IS NOT NULL GROUP BY value ORDER BY items DESC, value LIMIT ?",
            [*parameters, limit],
        )
        return [(value, count) for value, count in counted]

    def items(self, rows: Sequence[int] | Rows) -> list[Item]:
        """The items of these rows, in their order."""
        wanted = [int(row) for row in rows]
        columns = [column.name for column in self.manifest.columns]
        listed = ", ".join(quote_column(name) for name in ("row", "item_id", "title", *columns))
        found = self._fetch(f"SELECT {listed} FROM items WHERE row IN (SELECT unnest(?::BIGINT[]))", [wanted])
        by_row = {}
        for row, item_id, title, *cells in found:
            values = {
                name: tuple(cell) if isinstance(cell, list) else cell for name, cell in zip(columns, cells, strict=True)
            }
            by_row[row] = Item(row, item_id, title, values)
        return [by_row[row] for row in wanted]

    def document(self, row: int) -> str:
        """The text that both searches know the item by."""
        return self.documents([row])[0]

    def documents(self, rows: Sequence[int] | Rows) -> tuple[str, ...]:
        """Those texts of several items, in their order."""
        wanted = [int(row) for row in rows]
        found = self._fetch("SELECT row, text FROM documents WHERE row IN (SELECT unnest(?::BIGINT[]))", [wanted])
        texts = {row: str(text) for row, text in found}
        return tuple(texts[row] for row in wanted)

    @cached_property
    def popularity(self) -> NDArray[np.float32]:
        """Interactions of each item, shape (items,); zeros for a catalog without any."""
        counts = np.zeros(len(self), dtype=np.float32)
        with self._capped() as cursor:
            counted = cursor.execute("SELECT row, count(*) AS count FROM interactions GROUP BY row").fetchnumpy()
        counts[counted["row"]] = counted["count"]
        return counts

    @cached_property
    def lately(self) -> NDArray[np.float32]:
        """Interactions of each item among the last LATEST of all, shape (items,); zeros where no times are known."""
        counts = np.zeros(len(self), dtype=np.float32)
        with self._capped() as cursor:
            counted = cursor.execute(
                "SELECT row, count(*) AS count FROM interactions WHERE timestamp >"
                " (SELECT quantile_cont(timestamp, ?) FROM interactions) GROUP BY row",
                [1 - LATEST],
            ).fetchnumpy()
        counts[counted["row"]] = counted["count"]
        return counts

    def interactions(self) -> dict[str, NDArray[Any]]:
        """What people did, by person and then in time: `user_id`, `row`, `rating` (1 where none is known) and
        `timestamp` (seconds, 0 where none is known), each of shape (interactions,).
        """
        with self._capped() as cursor:
            found = cursor.execute(
                "SELECT user_id, row, coalesce(rating, 1.0) AS rating, coalesce(timestamp, 0) AS timestamp"
                " FROM interactions ORDER BY user_id, timestamp, row"
            ).fetchnumpy()
        return {name: np.asarray(values) for name, values in found.items()}

    def with_cf(self, cf: "EASE") -> Self:
        """The same catalog with another CF model: one that was not fitted on people whom it is tried on."""
        _ = self.bm25, self.dense  # loaded once for all of them
        other = copy(self)
        other.cf = cf
        return other

    def values(self, column: str) -> list[Any]:
        """The values of one of the manifest's columns, by row; None where there is none, lists as lists."""
        return [value for (value,) in self._fetch(f"SELECT {quote_column(column)} FROM items ORDER BY row")]

    @cached_property
    def title_index(self) -> "TitleIndex":
        from tools.title_index import TitleIndex

        return TitleIndex.of(self)

    @cached_property
    def value_index(self) -> "ValueIndex":
        from tools.value_index import ValueIndex, name_columns, named_values

        listed = {
            name: [value for (value,) in self._fetch(f"SELECT {quote_column(name)} FROM items WHERE row < {NAMED}")]
            for name in name_columns(self.manifest.columns)
        }
        return ValueIndex.of(self.manifest, named_values(listed))

    @cached_property
    def bm25(self) -> "BM25":
        from tools.bm25_search import BM25

        return BM25.load(self.folder / "bm25")

    @cached_property
    def dense(self) -> "Dense":
        from tools.dense_search import Dense

        return Dense.load(self.folder / "dense")

    @cached_property
    def cf(self) -> "EASE | None":
        """None for a catalog without interactions."""
        from tools.cf_recommend import EASE

        return EASE.load(self.folder / "cf") if "cf" in self.manifest.parts else None

    def _fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._capped() as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    @contextmanager
    def _capped(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for one query, so that threads do not share a result; interrupted at the time cap."""
        cursor = self._connection.cursor()
        timer = threading.Timer(TIME_CAP, cursor.interrupt)
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException as error:
            raise ToolError(f"the query took longer than {TIME_CAP:g} s; ask for less") from error
        except duckdb.OutOfMemoryException as error:
            raise ToolError(f"the query needs more than {LOCKED['memory_limit']}; ask for less") from error
        finally:
            timer.cancel()
            cursor.close()
