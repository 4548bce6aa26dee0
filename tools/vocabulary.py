"""The catalog's own word for a value as people spell it: "sci fi" is `Sci-Fi`, "comedies" is `Comedy`."""

from collections.abc import Callable, Iterable

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from tools.errors import ToolError
from tools.schema import Column
from tools.text import fold, stem

SHOWN = 30  # values listed whole in an error; of a longer vocabulary only the nearest
NEAREST = 10
SPELLING = 0.8  # OSA similarity two spellings need: one slip in five letters, two in ten
SHORTEST = 5  # letters below which a slip makes another word


def closest(column: Column, text: str, noun: str) -> str:
    """The one value of an enumerated column that `text` means; `noun` is what the catalog calls an item.

    Raises ToolError naming the column and its values when none is near, or when several are.
    """
    values = column.values or ()
    if text in values:
        return text
    ways: tuple[Callable[[str], str], ...] = (fold, _compact, lambda value: _singular(value, noun))
    for way in ways:
        wanted = way(text)
        same = [value for value in values if wanted and way(value) == wanted]
        if len(same) == 1:
            return same[0]
    near = _misspelt(_singular(text, noun), {value: _singular(value, noun) for value in values})
    if len(near) == 1:
        return near[0]
    raise ToolError(f"{column.name} has no value {text!r}; {describe(column, text)}")


def describe(column: Column, text: str) -> str:
    """The allowed values in words: all of them, or those nearest to `text` where there are many."""
    values = column.values or ()
    if len(values) <= SHOWN:
        return "its values: " + ", ".join(values)
    nearest = process.extract(text, values, scorer=fuzz.WRatio, processor=fold, limit=NEAREST)
    return f"the nearest of its {len(values)} values: " + ", ".join(value for value, _, _ in nearest)


def _compact(text: str) -> str:
    return "".join(char for char in fold(text) if char.isalnum())


def _singular(text: str, noun: str) -> str:
    """Compact, in the singular, without the catalog's noun: "comedy films" is "comedy" where items are films."""
    words = [stem(word) for word in map(_compact, text.split()) if word]
    return "".join(word for word in words if word != _compact(noun)) or "".join(words)


def _misspelt(wanted: str, spellings: dict[str, str]) -> list[str]:
    """The values nearest in spelling, of those with its first letter and its digits: 1980s is no slip for 1990s."""
    scores = {
        value: OSA.normalized_similarity(wanted, spelling)
        for value, spelling in spellings.items()
        if min(len(wanted), len(spelling)) >= SHORTEST - 1
        and max(len(wanted), len(spelling)) >= SHORTEST
        and wanted[0] == spelling[0]
        and _digits(wanted) == _digits(spelling)
    }
    best = max(scores.values(), default=0.0)
    return [value for value, score in scores.items() if score == best and score >= SPELLING]


def _digits(text: Iterable[str]) -> str:
    return "".join(char for char in text if char.isdigit())
