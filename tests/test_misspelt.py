"""Names that are written otherwise than in the catalog."""

import pytest

from tools.misspelt import Misspelt
from tools.value_index import WORD

NAMES = ["denzel washington", "jim carrey", "leonardo dicaprio", "robert de niro", "jean-claude van damme", "scorsese",
         "john hurt", "emma stone", "kruger"]  # fmt: skip
COMMON = frozenset(["the", "with", "stone", "something"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("thriller with denzal washinton", ["denzel washington"]),
        ("jim carey, Leonardo Dicapro", ["jim carrey", "leonardo dicaprio"]),
        ("Robert DeNiro and Jean Claude van Damme", ["robert de niro", "jean-claude van damme"]),
        ("something by scorcese", ["scorsese"]),
        ("scorcese", []),  # alone, and written as no name
        ("John Hart", []),  # another person
        ("Freddy Krueger", []),  # half of a name
        ("", []),
    ],
)
def test_only_sure_names_are_mended(text: str, names: list[str]) -> None:
    found = Misspelt.of(NAMES).found(text, list(WORD.finditer(text)), COMMON, [])
    assert [name for _, _, name in found] == names


def test_what_is_taken_is_left_alone() -> None:
    text = "jim carey"
    assert not list(Misspelt.of(NAMES).found(text, list(WORD.finditer(text)), COMMON, [(0, 3)]))
