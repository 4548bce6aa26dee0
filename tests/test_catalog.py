import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tools import catalog as catalog_module
from tools.catalog import Catalog
from tools.errors import CatalogError, ToolError


def test_rows_ids_and_titles(tiny_catalog: Catalog) -> None:
    assert len(tiny_catalog) == tiny_catalog.manifest.rows == 40
    for row, item_id in enumerate(tiny_catalog.ids):
        assert tiny_catalog.row_of(item_id) == row
        assert tiny_catalog.title(item_id) == tiny_catalog.titles[row]
    assert tiny_catalog.row_of("41") is None
    assert tiny_catalog.title("41") is None


def test_popular_items_come_first(tiny_catalog: Catalog) -> None:
    popularity = tiny_catalog.popularity
    assert popularity.sum() == tiny_catalog.manifest.interactions == 336
    assert (np.diff(popularity) <= 0).all()
    counts = [item.values["rating_count"] for item in tiny_catalog.items(range(40))]
    assert counts == popularity.tolist()


def test_select(tiny_catalog: Catalog) -> None:
    rows = tiny_catalog.select("year < ? AND list_contains(genres, ?)", [1970, "Western"])
    assert rows.dtype == np.int64
    assert sorted(tiny_catalog.titles[rows]) == ["Dead Letter Saloon", "Dust and Violets"]
    by_year = tiny_catalog.select("runtime > ?", [120], "year DESC")
    years = [item.year for item in tiny_catalog.items(by_year)]
    assert years == sorted(filter(None, years), reverse=True)
    assert tiny_catalog.select("TRUE").tolist() == list(range(40))
    assert tiny_catalog.select("year > 3000").tolist() == []


def test_items_keep_the_order_asked_for(tiny_catalog: Catalog) -> None:
    items = tiny_catalog.items([39, 0, 7])
    assert [item.row for item in items] == [39, 0, 7]
    assert items[0].title == "Untitled Sea Project"
    assert items[0].year is None
    assert items[0].values["runtime"] is None
    assert items[0].values["genres"] == ("Documentary",)
    assert items[1].values.keys() == {column.name for column in tiny_catalog.manifest.columns}
    assert tiny_catalog.items([]) == []


def test_count_values(tiny_catalog: Catalog) -> None:
    assert tiny_catalog.count_values("genres", "year >= ?", [2010], limit=2) == [("Drama", 3), ("Sci-Fi", 3)]
    assert tiny_catalog.count_values("director", limit=1) == [("Otto Kranz", 4)]
    assert sum(count for _, count in tiny_catalog.count_values("year", limit=100)) == 39
    with pytest.raises(ToolError, match="no column 'colour'; there are: year, genres"):
        tiny_catalog.count_values("colour")


def test_documents(tiny_catalog: Catalog) -> None:
    row = tiny_catalog.row_of("10")
    assert row is not None
    assert tiny_catalog.document(row) == (
        "Seven Locks (1998). A safe cracker who is losing his hearing is asked for one last heist."
        " Genres: Crime, Thriller. Director: Mara Quist. Alternate titles: Se7en Locks."
    )
    assert tiny_catalog.manifest.described == 39


@pytest.mark.parametrize(
    "sql",
    [
        "row IN (SELECT length(content) FROM read_text('pyproject.toml'))",
        "row IN (SELECT 1 FROM read_csv('pyproject.toml'))",
        "row IN (SELECT 1 FROM 'pyproject.toml')",
        "TRUE; COPY items TO 'stolen.csv'; SELECT row FROM items WHERE TRUE",
        "TRUE; ATTACH 'other.duckdb'; SELECT row FROM items WHERE TRUE",
        "TRUE; SET threads = 8; SELECT row FROM items WHERE TRUE",
        "TRUE; DELETE FROM items; SELECT row FROM items WHERE TRUE",
        "TRUE; INSTALL httpfs; SELECT row FROM items WHERE TRUE",
    ],
)
def test_even_foreign_sql_reads_and_writes_nothing(sql: str, tiny_catalog: Catalog) -> None:
    """The white list is what keeps such SQL out; this is the wall behind it."""
    with pytest.raises(duckdb.Error):
        tiny_catalog.select(sql)
    assert len(tiny_catalog.select("TRUE")) == 40


def test_a_query_is_stopped_at_the_time_cap(tiny_catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "TIME_CAP", 0.2)
    started = time.perf_counter()
    with pytest.raises(ToolError, match=r"took longer than 0\.2 s"):
        tiny_catalog.select("row IN (SELECT count(*) FROM range(100000000) a, range(100000000) b)")
    assert time.perf_counter() - started < 5
    assert len(tiny_catalog.select("TRUE")) == 40


def test_threads_share_a_catalog(tiny_catalog: Catalog) -> None:
    def ask(row: int) -> list[int]:
        return [tiny_catalog.items([row])[0].row, *tiny_catalog.select("row = ?", [row]).tolist()]

    rows = list(range(8)) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, rows)) == [[row, row] for row in rows]


def test_scorers_are_loaded_once(tiny_catalog: Catalog) -> None:
    assert tiny_catalog.bm25 is tiny_catalog.bm25
    assert tiny_catalog.dense is tiny_catalog.dense
    assert tiny_catalog.dense.vectors.shape == (40, 384)


def test_what_cannot_be_opened(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog here; build one with: usher catalog build"):
        Catalog.open(tmp_path)
    shutil.copy(tiny_folder / "manifest.json", tmp_path)
    with pytest.raises(CatalogError, match=r"catalog\.duckdb: missing; build the catalog again"):
        Catalog.open(tmp_path)
    (tmp_path / "catalog.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(CatalogError, match=r"catalog\.duckdb: cannot be read") as error:
        Catalog.open(tmp_path)
    assert "\n" not in str(error.value)
