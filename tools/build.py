"""A catalog folder from a source; parts whose inputs have not changed are taken over from the catalog it replaces."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from tools.catalog import LEARNED
from tools.errors import CatalogError
from tools.replace import replacing
from tools.schema import FORMAT, Column, Manifest
from tools.scorer import FitData
from tools.source import INTERACTIONS, Source

# Of the code that makes a part; raised with every change to what it makes, so that old parts are not taken over.
VERSIONS = {"items": 1, "bm25": 1, "dense": 1, "cf": 1}
DESCRIPTION = 60  # characters the texts of a column have on average where they are descriptions rather than names
Report = Callable[[str], None]  # told each step in a line


def build(source: Source, out: Path, report: Report = lambda _: None) -> Manifest:
    """Write the catalog of `source` to the folder `out`.

    Whatever stops it, `out` is then the whole new catalog or what it was before. Raises CatalogError when `out` holds
    something else than a catalog, when another build is writing it, and when it cannot be written.
    """
    _refuse_strangers(out)
    try:
        with replacing(out.resolve()) as folder:
            manifest = _fill(folder, source, out, report)
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise CatalogError(f"{out}: cannot be written: {str(error).splitlines()[0]}") from error
    except OSError as error:
        if error.errno is None:  # not the file system's: a library's own error under that name
            raise
        raise CatalogError(f"{out}: cannot be written: {error.strerror}") from error
    return manifest


def document(values: dict[str, Any], columns: Sequence[Column], described_by: Sequence[str]) -> str:
    """What both searches read of an item: title and year, its descriptions, then its other texts as "Name: a, b."."""
    year = values.get("year")
    sentences = [values["title"] if year is None else f"{values['title']} ({year})"]
    sentences += [values[name] for name in described_by if values[name]]
    for column in columns:
        value = values[column.name]
        if value and column.type == "text" and column.name not in described_by:
            words = ", ".join(value) if column.is_list else value
            sentences.append(f"{column.name.replace('_', ' ').capitalize()}: {words}")
    return " ".join(sentence if sentence.endswith((".", "!", "?")) else f"{sentence}." for sentence in sentences)


@dataclass(frozen=True)
class _Contents:
    """A source in the order of the catalog; each digest covers the table it is named for."""

    items: pa.Table  # with `row`, most interactions first
    interactions: pa.Table  # user_id, row, rating, timestamp
    fit: FitData
    described: int  # items with a description
    items_digest: str
    interactions_digest: str


@dataclass(frozen=True)
class _Part:
    """A file or folder of a catalog; `key` is the hash of all that goes into it, `make` writes it."""

    name: str
    path: str
    key: str
    make: Callable[[Path], None]


def _refuse_strangers(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CatalogError(f"{out}: is a file; --out takes a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "manifest.json").is_file():
        raise CatalogError(f"{out}: is not empty and not a catalog; choose another folder")


def _fill(folder: Path, source: Source, out: Path, report: Report) -> Manifest:
    old = _old_parts(out)
    contents = _arrange(source)
    keys = {}
    for part in _parts(contents):
        if old.get(part.name) == part.key and (out / part.path).exists():
            report(f"{part.name}: reused")
            _link(out / part.path, folder / part.path)
        else:
            report(f"{part.name}: building")
            part.make(folder / part.path)
        keys[part.name] = part.key
    if (out / LEARNED).is_dir():  # from people's dialogues, by the ids of items: it outlives what it was learned on
        report(f"{LEARNED}: kept")
        _link(out / LEARNED, folder / LEARNED)
    manifest = Manifest(
        name=source.name,
        noun=source.noun,
        source=source.source,
        licence=source.licence,
        rows=len(contents.items),
        interactions=len(contents.interactions),
        users=len(contents.fit.users),
        columns=source.columns,
        described=contents.described,
        parts=keys,
        build_hash=_hash(FORMAT, *keys.values())[:16],
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def _old_parts(out: Path) -> dict[str, str]:
    try:
        return Manifest.read(out).parts
    except CatalogError:  # none there, of another version, or damaged: everything is built
        return {}


def _link(old: Path, new: Path) -> None:
    """The same files under another name: parts are never written to once they are made."""
    if old.is_dir():
        shutil.copytree(old, new, copy_function=os.link)
    else:
        os.link(old, new)


def _parts(contents: _Contents) -> Iterator[_Part]:
    from tools.bm25_search import BM25, BM25Config
    from tools.cf_recommend import EASE, EASEConfig
    from tools.dense_search import Dense, DenseConfig

    fit, documents = contents.fit, _hash(*contents.fit.documents)
    bm25, dense, ease = BM25Config(), DenseConfig(), EASEConfig()

    def key(name: str, *inputs: object) -> str:
        return _hash(VERSIONS[name], *inputs)

    items = key("items", contents.items_digest, contents.interactions_digest, documents, duckdb.__version__)
    yield _Part("items", "catalog.duckdb", items, lambda path: _write(path, contents))
    yield _Part("bm25", "bm25", key("bm25", documents, bm25), lambda path: BM25.fit(fit, bm25).save(path))
    yield _Part("dense", "dense", key("dense", documents, dense), lambda path: Dense.fit(fit, dense).save(path))
    if fit.ratings is not None:
        ratings = key("cf", contents.interactions_digest, ease)
        yield _Part("cf", "cf", ratings, lambda path: EASE.fit(fit, ease).save(path))


def _hash(*inputs: object) -> str:
    return hashlib.sha256(repr(inputs).encode()).hexdigest()


def _arrange(source: Source) -> _Contents:
    """Rows in the order of popularity, then of ids, shorter ones first so that 9 comes before 10."""
    with closing(duckdb.connect()) as con:
        con.register("given", source.items)
        con.register("interactions", source.interactions or INTERACTIONS.empty_table())
        con.execute(
            "CREATE TABLE ordered AS SELECT row_number() OVER (ORDER BY coalesce(n, 0) DESC, len(item_id), item_id) - 1"
            " AS row, given.* FROM given LEFT JOIN (SELECT item_id, count(*) AS n FROM interactions GROUP BY item_id)"
            " USING (item_id)"
        )
        items = con.sql("SELECT * FROM ordered ORDER BY row").to_arrow_table()
        interactions = con.sql(
            "SELECT i.user_id, row, i.rating, i.timestamp FROM interactions i JOIN ordered USING (item_id)"
            " ORDER BY i.user_id, row"
        ).to_arrow_table()
    described_by = _descriptions(items, source.columns)
    documents, described, digest = [], 0, hashlib.sha256()
    for batch in items.to_batches(max_chunksize=4096):
        for values in batch.to_pylist():
            documents.append(document(values, source.columns, described_by))
            described += any(values[name] for name in described_by)
            digest.update(repr(values).encode())
    users, ratings, interactions_digest = _matrix(interactions, len(items))
    return _Contents(
        items=items,
        interactions=interactions,
        fit=FitData(documents, ratings if ratings.nnz else None, users),
        described=described,
        items_digest=digest.hexdigest(),
        interactions_digest=interactions_digest,
    )


def _descriptions(items: pa.Table, columns: Sequence[Column]) -> list[str]:
    """The columns that hold sentences."""
    texts = [column.name for column in columns if column.sql_type == "VARCHAR" and column.values is None]
    means = {name: pc.mean(pc.utf8_length(items[name])).as_py() for name in texts}
    return [name for name, mean in means.items() if mean is not None and mean >= DESCRIPTION]


def _matrix(interactions: pa.Table, size: int) -> tuple[list[str], csr_array, str]:
    """The people, their ratings (1 where there are none) of shape (people, items), and a digest of all of it."""
    people = interactions["user_id"].combine_chunks().dictionary_encode()
    users = people.dictionary.to_pylist()
    ratings = interactions["rating"].fill_null(1.0).to_numpy()
    rows, codes = interactions["row"].to_numpy(), people.indices.to_numpy()
    digest = hashlib.sha256(repr(users).encode())
    for array in (ratings, rows, codes, interactions["timestamp"].fill_null(-1).to_numpy()):
        digest.update(array.tobytes())
    return users, csr_array((ratings, (codes, rows)), shape=(len(users), size)), digest.hexdigest()


def _write(path: Path, contents: _Contents) -> None:
    with closing(duckdb.connect(path)) as con:
        con.register("given_items", contents.items)
        con.register("given_interactions", contents.interactions)
        con.register(
            "given_documents", pa.table({"row": np.arange(len(contents.items)), "text": contents.fit.documents})
        )
        for table in ("items", "interactions", "documents"):
            con.execute(f"CREATE TABLE {table} AS SELECT * FROM given_{table} ORDER BY row")
        con.execute("CHECKPOINT")  # what closing writes it writes without a word when that fails
