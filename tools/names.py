"""Names of columns, such as a person or a model can write in SQL."""

import re
from collections.abc import Container
from itertools import chain, count

from tools.text import fold


def plain_name(raw: str) -> str:
    """The name in lower ASCII letters, digits and underscores: "releaseDate" and "Release date" are release_date.

    Empty where the name has none of these.
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", raw)
    name = re.sub(r"[^a-z0-9]+", "_", fold(split)).strip("_")
    return f"n_{name}" if name[:1].isdigit() else name


def unused(name: str, taken: Container[str]) -> str:
    """The name, with a number after it where it is taken."""
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(name for name in names if name not in taken)
