"""Tables read from files: csv, jsonl and parquet, with the place of every row, so that an error can name it."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.errors import CatalogError
from tools.inference import narrow
from tools.names import plain_name, unused

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
CHUNK = 65_536  # csv rows turned into Arrow at once
DELIMITERS = ",;\t"

_Columns = list[tuple[str, pa.ChunkedArray | None]]  # by the file's names; None for what is nested


@dataclass(frozen=True)
class Table:
    """A file's columns by plain names (`plain_name`); `named` is what the file calls them.

    Each is text, int64, double, bool, date32 or a list of one of these; csv cells are text. Missing is null. `lines`,
    shape (rows,), says where each row starts: the line in a text file, the record in a parquet file, from 1. `notes`
    say what was left out.
    """

    path: Path
    columns: dict[str, pa.ChunkedArray]
    named: dict[str, str]
    lines: NDArray[np.int64]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        return f"{'record' if self.path.suffix == '.parquet' else 'line'} {self.lines[row]}"

    def fail(self, row: int, name: str, problem: str) -> NoReturn:
        """Raise a CatalogError that names the file, the row's place in it and the column."""
        raise CatalogError(f"{self.path}: {self.place(row)}: column {self.named[name]}: {problem}")

    def find(self, names: Sequence[str]) -> str | None:
        """The first of these names that is a column."""
        return next((name for name in names if name in self.columns), None)

    def texts(self, name: str) -> pa.ChunkedArray:
        """A column's cells as texts, whole numbers without a fraction. Raises CatalogError where one is missing."""
        cells = self.columns[name]
        if pa.types.is_list(cells.type):
            raise CatalogError(f"{self.path}: column {self.named[name]} holds lists; it must hold texts or numbers")
        texts = pc.utf8_trim_whitespace(narrow(cells).cast(pa.string()))
        empty = pc.index(pc.equal(pc.fill_null(texts, ""), ""), True).as_py()
        if empty >= 0:
            self.fail(empty, name, "is empty")
        return texts


def read_table(path: Path) -> Table:
    """Raises CatalogError with one line that names the file and, where there is one, the line that cannot be read."""
    try:
        if path.suffix == ".parquet":
            columns, lines = _read_parquet(path)
        elif ".csv" in path.suffixes:
            columns, lines = _read_csv(path)
        else:
            columns, lines = _read_jsonl(path)
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: line {_undecodable(path)}: not UTF-8; save the file as UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CatalogError(f"{path}: not a whole gzip file ({error})") from error
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not len(lines):
        raise CatalogError(f"{path}: has no rows")
    return _table(path, columns, lines)


def _table(path: Path, columns: _Columns, lines: NDArray[np.int64]) -> Table:
    kept, named, notes = dict[str, pa.ChunkedArray](), dict[str, str](), list[str]()
    for position, (raw, cells) in enumerate(columns, start=1):
        if cells is None:
            notes.append(f"{path.name}: left out column {raw}: it holds more than texts, numbers and lists of them")
        elif not raw:
            notes.append(f"{path.name}: left out column {position}: it has no name")
        else:
            name = unused(plain_name(raw) or f"column_{position}", kept)
            kept[name], named[name] = cells, raw
    return Table(path, kept, named, lines, tuple(notes))


def _open(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_binary(path), encoding="utf-8-sig", newline="")


def _open_binary(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")


def _undecodable(path: Path) -> int:
    """The first line that is not UTF-8."""
    with _open_binary(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _read_csv(path: Path) -> tuple[_Columns, NDArray[np.int64]]:
    with _open(path) as handle:
        first = handle.readline()
        if not first.strip():
            raise CatalogError(f"{path}: line 1: is empty; it must name the columns")
        reader = csv.reader(chain([first], handle), delimiter=max(DELIMITERS, key=first.count), strict=True)
        lines, chunks, rows = list[int](), list[list[pa.Array]](), list[list[str]]()
        start = 1
        try:
            names = [name.strip() for name in next(reader)]
            start = reader.line_num + 1
            for cells in reader:
                if cells and len(cells) != len(names):
                    raise CatalogError(f"{path}: line {start}: {len(cells)} cells, the header has {len(names)} columns")
                if cells:
                    rows.append(cells)
                    lines.append(start)
                if len(rows) == CHUNK:
                    chunks.append(_arrays(rows))
                    rows = []
                start = reader.line_num + 1
        except csv.Error as error:
            raise CatalogError(f"{path}: line {start}: not csv: {_explain(error)}") from error
        chunks += [_arrays(rows)] if rows else []
    columns = zip(names, zip(*chunks, strict=True) if chunks else [()] * len(names), strict=True)
    return [(name, pa.chunked_array(arrays, pa.string())) for name, arrays in columns], np.array(lines, dtype=np.int64)


def _arrays(rows: list[list[str]]) -> list[pa.Array]:
    return [pa.array([cell.strip() or None for cell in cells], pa.string()) for cells in zip(*rows, strict=True)]


def _explain(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        return "a quote is opened here and never closed"
    if "field larger" in text:
        return f"a cell of more than {csv.field_size_limit():,} characters; is a quote never closed?"
    return text


def _read_jsonl(path: Path) -> tuple[_Columns, NDArray[np.int64]]:
    columns, lines = dict[str, list[Any]](), list[int]()
    with _open(path) as handle:
        for number, record in _records(path, handle):
            for name in record.keys() - columns.keys():
                columns[name] = [None] * len(lines)
            for name, values in columns.items():
                values.append(record.get(name))
            lines.append(number)
    return [(name.strip(), _from_json(values)) for name, values in columns.items()], np.array(lines, dtype=np.int64)


def _records(path: Path, lines: io.TextIOWrapper) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=_constant)
            json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair is JSON but no text
        except (ValueError, RecursionError) as error:
            raise CatalogError(f"{path}: line {number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise CatalogError(
                f"{path}: line {number}: not a JSON object; a line is one item, with its columns as names"
            )
        yield number, record


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _from_json(values: list[Any]) -> pa.ChunkedArray | None:
    if not any(isinstance(value, list) for value in values):
        scalars = _scalars(values)
        return None if scalars is None else pa.chunked_array([scalars])
    lists = [value if value is None or isinstance(value, list) else [value] for value in values]
    elements = _scalars([element for each in lists for element in each or ()])
    if elements is None:
        return None
    rest = iter(elements.to_pylist())
    nested = [None if each is None else list(islice(rest, len(each))) for each in lists]
    return pa.chunked_array([pa.array(nested, pa.list_(elements.type))])


def _scalars(values: list[Any]) -> pa.Array | None:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {dict, list}:
        return None
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pa.array(values, pa.int64())
    if float in kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = (value if value is None or isinstance(value, str) else json.dumps(value) for value in values)
    return pa.array([text.strip() or None if text else None for text in texts], pa.string())


def _read_parquet(path: Path) -> tuple[_Columns, NDArray[np.int64]]:
    try:
        table = pq.read_table(path)
        columns = [(name, _from_arrow(cells)) for name, cells in zip(table.column_names, table.columns, strict=True)]
    except (pa.ArrowException, OSError) as error:
        raise CatalogError(f"{path}: not a parquet file that can be read: {str(error).splitlines()[0]}") from error
    return columns, np.arange(1, len(table) + 1)


def _from_arrow(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    if pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type):
        kind = _kind(cells.type.value_type)
        return None if kind is None else cells.cast(pa.list_(kind))
    kind = _kind(cells.type)
    return None if kind is None else cells.cast(kind, safe=not pa.types.is_date(kind))


def _kind(arrow_type: pa.DataType) -> pa.DataType | None:
    """The type of ours that holds the values of an Arrow type; None where there is none."""
    if pa.types.is_dictionary(arrow_type):
        return _kind(arrow_type.value_type)
    test = pa.types
    kinds = {
        pa.bool_(): (test.is_boolean,),
        pa.int64(): (test.is_integer,),
        pa.float64(): (test.is_floating, test.is_decimal),
        pa.date32(): (test.is_date, test.is_timestamp),
        pa.string(): (test.is_string, test.is_large_string, test.is_string_view, test.is_null),
    }
    return next((kind for kind, tests in kinds.items() if any(holds(arrow_type) for holds in tests)), None)
