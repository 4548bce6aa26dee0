"""The type of a column of texts: truth value, number, date, list or text."""

import ast
import datetime
import json
import re
from collections.abc import Callable, Sequence
from math import isnan
from typing import Any, TypeVar

import pyarrow as pa

NO_VALUE = frozenset(("NA", "N/A", "NaN", "nan", "NULL", "null", "None", "\\N"))  # how programs write a missing value
_TRUTH = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_CODE = re.compile(r"[+-]?0\d|[+-]?\d{19}")  # leading zeros or too long for a whole number: post codes, bar codes
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]\d\d:\d\d.*)?")
_EXACT = 2**53  # beyond it not every whole number is a double
# One cell in a hundred, and one in any twenty, may fail to be of the type of all others: that is then an error in the
# cell, where more of them would mean another type.
_SHARE, _ENOUGH = 100, 20

T = TypeVar("T")


class Misfit(Exception):  # noqa: N818 - the caller knows file and line and makes it an error
    """A cell that is not of the type that nearly all of its column are of."""

    def __init__(self, row: int, cell: str, kind: str) -> None:
        super().__init__(row, cell, kind)
        self.row, self.cell, self.kind = row, cell, kind


def infer(cells: Sequence[str | None]) -> pa.Array:
    """The cells with the narrowest type that fits them all. Raises Misfit for the first one where only a few do not."""
    known = [None if cell in NO_VALUE else cell for cell in cells]
    for read in (_truths, _numbers, _dates, _arrays, _delimited):
        found = read(known)
        if found is not None:
            return found
    return pa.array(known, pa.string())


def narrow(array: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Doubles that are all whole as integers, with NaN as missing; other types as they are."""
    if not pa.types.is_floating(array.type):
        return array
    return _number_array([None if number is None or isnan(number) else number for number in array.to_pylist()])


def _each(cells: Sequence[str | None], parse: Callable[[str], T | None], kind: str) -> list[T | None] | None:
    """The cells parsed (None means it failed); None when too many fail, or there are none. Raises Misfit."""
    filled = sum(cell is not None for cell in cells)
    allowed = max(filled // _SHARE, int(filled >= _ENOUGH))
    values, misfits = list[T | None](), list[Misfit]()
    for row, cell in enumerate(cells):
        values.append(None if cell is None else parse(cell))
        if cell is not None and values[-1] is None:
            misfits.append(Misfit(row, cell, kind))
            if len(misfits) > allowed:
                return None
    if misfits:
        raise misfits[0]
    return values if filled else None


def _truths(cells: Sequence[str | None]) -> pa.Array | None:
    words = {cell.lower() for cell in cells if cell is not None}
    if not any(words == pair or (words and words < pair and len(min(words)) > 1) for pair in _TRUTH):
        return None
    return pa.array([None if cell is None else cell.lower()[0] in "ty" for cell in cells], pa.bool_())


def _numbers(cells: Sequence[str | None]) -> pa.Array | None:
    if any(cell is not None and _CODE.match(cell) for cell in cells):
        return None
    numbers = _each(cells, _number, "number")
    return None if numbers is None else _number_array(numbers)


def _number(cell: str) -> float | int | None:
    if not _NUMBER.fullmatch(cell):
        return None
    try:
        return int(cell)
    except ValueError:
        number = float(cell)
        return number if abs(number) < float("inf") else None


def _number_array(numbers: Sequence[float | int | None]) -> pa.Array:
    if all(number is None or isinstance(number, int) or _is_whole(number) for number in numbers):
        return pa.array([None if number is None else int(number) for number in numbers], pa.int64())
    return pa.array([None if number is None else float(number) for number in numbers], pa.float64())


def _is_whole(number: float) -> bool:
    return abs(number) < _EXACT and number.is_integer()


def _dates(cells: Sequence[str | None]) -> pa.Array | None:
    dates = _each(cells, _date, "date")
    return None if dates is None else pa.array(dates, pa.date32())


def _date(cell: str) -> datetime.date | None:
    match = _DATE.fullmatch(cell)
    try:
        return datetime.date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _arrays(cells: Sequence[str | None]) -> pa.Array | None:
    """Lists as JSON or Python write them."""
    lists = _each(cells, _array, "list")
    if lists is None:
        return None
    kinds = {type(element) for elements in lists for element in elements or ()}
    if kinds <= {int, float}:
        return pa.array(lists, pa.list_(pa.int64() if kinds == {int} else pa.float64()))
    texts = [None if elements is None else [str(element) for element in elements] for elements in lists]
    return pa.array(texts, pa.list_(pa.string()))


def _array(cell: str) -> list[Any] | None:
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            elements = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if all(isinstance(element, (str, int, float)) for element in elements):
            return list(elements)
    return None


def _delimited(cells: Sequence[str | None]) -> pa.Array | None:
    for mark, is_list in (("|", _is_piped), (";", _is_short), (", ", _is_enumeration)):
        lists = [
            None if cell is None else [part for each in cell.split(mark) if (part := each.strip())] for cell in cells
        ]
        filled = [elements for elements in lists if elements]
        if sum(len(elements) > 1 for elements in filled) > 0 and is_list(filled):
            return _list_array(lists)
    return None


def _is_piped(lists: list[list[str]]) -> bool:
    return _long(lists, 80) < 0.05


def _is_short(lists: list[list[str]]) -> bool:
    """Prose has semicolons too, but long parts between them."""
    return _long(lists, 40) < 0.05 and sum(len(elements) > 1 for elements in lists) >= 0.05 * len(lists)


def _is_enumeration(lists: list[list[str]]) -> bool:
    """Commas stand in texts of all kinds. In a list the elements recur, their number varies, and those in later places
    stand first elsewhere: neither "Tolkien, J. R. R." nor "Paris, France" is one.
    """
    elements = [element for each in lists for element in each]
    first = {each[0] for each in lists}
    later = [element for each in lists for element in each[1:]]
    return (
        _long(lists, 40) < 0.05
        and len(set(elements)) <= len(elements) / 2
        and len({len(each) for each in lists}) >= 3
        and sum(element in first for element in later) >= 0.1 * len(later)
        and sum(len(each) > 1 for each in lists) >= 0.1 * len(lists)
    )


def _long(lists: list[list[str]], limit: int) -> float:
    """The share of elements longer than `limit` characters."""
    elements = [element for each in lists for element in each]
    return sum(len(element) > limit for element in elements) / len(elements)


def _list_array(lists: Sequence[list[str] | None]) -> pa.Array:
    try:
        numbers = _numbers([element for elements in lists for element in elements or ()])
    except Misfit:
        numbers = None
    if numbers is None:
        return pa.array(lists, pa.list_(pa.string()))
    values = iter(numbers.to_pylist())
    nested = [None if elements is None else [next(values) for _ in elements] for elements in lists]
    return pa.array(nested, pa.list_(numbers.type))
