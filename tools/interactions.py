"""What people did with items: who, which item and, where the file has them, the rating and the time."""

from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tools.errors import CatalogError
from tools.source import INTERACTIONS
from tools.tabular import Table, read_table

MOST_UNKNOWN = 0.01  # share of interactions that may name an item that is not there; they are left out
USERS = ("user_id", "user", "userid", "reader_id", "customer_id", "member_id", "person_id")
ITEMS = ("item_id", "item", "itemid")
RATINGS = ("rating", "score", "stars")
TIMES = ("timestamp", "time", "date", "created_at")
_FINITE = "CASE WHEN isfinite(try_cast(cell AS DOUBLE)) THEN try_cast(cell AS DOUBLE) END"
_SECONDS = "coalesce(try_cast(try_cast(cell AS DOUBLE) AS BIGINT), epoch(try_cast(cell AS TIMESTAMP))::BIGINT)"


def read_interactions(path: Path, ids: pa.ChunkedArray, id_name: str) -> tuple[pa.Table, list[str]]:
    """A table of source.INTERACTIONS and notes on what was left out; `id_name` is what the items file calls the id.

    Raises CatalogError naming file, line and column of what cannot be used.
    """
    table = read_table(path)
    user, item = table.find(USERS), table.find([*ITEMS, id_name])
    if user is None or item is None:
        lacking = "the person; name it user_id" if user is None else f"the item; name it item_id or {id_name}"
        raise CatalogError(f"{path}: line 1: no column for {lacking} (there are {', '.join(table.named.values())})")
    rating, time = table.find(RATINGS), table.find(TIMES)
    empty = pa.nulls(len(table))
    found = pa.table(
        {
            "user_id": table.texts(user),
            "item_id": table.texts(item),
            "rating": (
                empty if rating is None else _convert(table, rating, table.texts(rating), _FINITE, "number")
            ).cast(pa.float64()),
            "timestamp": (empty if time is None else _convert(table, time, table.columns[time], _SECONDS, "time")).cast(
                pa.int64()
            ),
        },
        INTERACTIONS,
    )
    notes = list(table.notes)
    known = pc.is_in(found["item_id"], value_set=ids.combine_chunks())
    unknown = len(found) - (pc.sum(known).as_py() or 0)
    if unknown:
        first = pc.index(known, False).as_py()
        if unknown > MOST_UNKNOWN * len(found):
            problem = (
                f"{found['item_id'][first].as_py()!r} is not among the items ({unknown:,} of {len(found):,} are not)"
            )
            table.fail(first, item, problem)
        notes.append(f"{path.name}: left out {unknown:,} of {len(found):,} rows, whose items are not among the items")
    latest = _latest(found.filter(known))
    repeats = len(found) - unknown - len(latest)
    if repeats:
        notes.append(f"{path.name}: left out {repeats:,} rows: of several for one person and item the latest counts")
    return latest, notes


def _convert(table: Table, name: str, cells: pa.ChunkedArray, sql: str, wanted: str) -> pa.ChunkedArray:
    """The cells as a SQL expression over `cell` reads them. Raises CatalogError where it gives nothing for a cell."""
    with closing(duckdb.connect()) as con:
        con.register("given", pa.table({"cell": cells.cast(pa.string())}))
        values = con.sql(f"SELECT {sql} AS value FROM given").to_arrow_table()["value"]
    row = pc.index(pc.greater(pc.is_null(values).cast(pa.int8()), pc.is_null(cells).cast(pa.int8())), True).as_py()
    if row >= 0:
        table.fail(row, name, f"{cells[row].as_py()!r} is no {wanted}")
    return values


def _latest(found: pa.Table) -> pa.Table:
    """Of several rows for one person and item the latest, which is the last where times are alike or not given."""
    with closing(duckdb.connect()) as con:
        con.register("found", found.append_column("position", pa.array(range(len(found)), pa.int64())))
        return con.sql(
            "SELECT user_id, item_id, rating, timestamp FROM found QUALIFY row_number() OVER"
            " (PARTITION BY user_id, item_id ORDER BY timestamp DESC NULLS LAST, position DESC) = 1"
        ).to_arrow_table()
