"""Titles as people read them and as a lookup compares them; nothing here knows what kind of thing has the title."""

import re
import unicodedata
from dataclasses import dataclass

from tools.text import fold

# Articles that catalogs write last ("Matrix, The"). Capital letter required, so that an enumeration is left alone.
_ARTICLES = (
    "The|An|A|Le|La|Les|L['\u2019]|Une|Un|Des|Il|Lo|Gli|I|El|Los|Las|Una|Der|Die|Das|Den|Det|Ein|Eine|En|Ett|De|Het"
    "|Os|As|O"
)
_INVERTED = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$", re.DOTALL)
_ALSO = re.compile(r"^(?:a\.?k\.?a\.?|also known as|or)\s+", re.IGNORECASE)
_YEAR = re.compile(r"^(?P<rest>.*\S)\s*\((?P<year>(?:1[0-9]|20)\d\d)\)\s*$", re.DOTALL)
_INITIALS = re.compile(r"(?<=\b\w)[.*](?=\w\b)")
_NOT_WORD = re.compile(r"[^\w]+|_")
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_DANGLING = re.compile(r"(?:[:\-&,/]|\b(?:[Oo]r|[Aa]nd|of|in))$")


@dataclass(frozen=True)
class Title:
    """`display` is for people; `alternates` are the other titles that stood in brackets after it."""

    display: str
    alternates: tuple[str, ...] = ()


def split_year(title: str) -> tuple[str, int | None]:
    """The title without a year in brackets at its end, and that year: "Brazil (1985)" is ("Brazil", 1985)."""
    match = _YEAR.match(title)
    return (match["rest"], int(match["year"])) if match else (title.strip(), None)


def put_article_first(title: str) -> str:
    """ "Matrix, The" is "The Matrix"; "Atalante, L'" is "L'Atalante"."""
    match = _INVERTED.match(title)
    if match is None:
        return title
    space = "" if match["article"].endswith(("'", "\u2019")) else " "
    return f"{match['article']}{space}{match['rest']}"


def clean(title: str) -> Title:
    """The title with its article first and the bracketed titles at its end taken off.

    "City of Lost Children, The (Cité des enfants perdus, La)" is "The City of Lost Children" with the alternate
    "La Cité des enfants perdus". Brackets elsewhere, and those a title cannot do without ("Birdman: Or (..)"), stay.
    """
    rest, alternates = " ".join(title.split()), list[str]()
    inverted = put_article_first(rest)
    while (opening := _opening(inverted)) > 0:
        before, inside = inverted[:opening].rstrip(), inverted[opening + 1 : -1].strip()
        if not inside or not before or _DANGLING.search(before):
            break
        alternates.insert(0, put_article_first(_ALSO.sub("", inside)))
        inverted = put_article_first(before)
    return Title(inverted, tuple(dict.fromkeys(alternate for alternate in alternates if alternate != inverted)))


def _opening(title: str) -> int:
    """Where the bracket that closes a title opens, a space before it; -1 where the title ends in none."""
    if not title.endswith(")"):
        return -1
    depth = 0
    for position in range(len(title) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(title[position], 0)
        if depth == 0:
            return position if title[position - 1 : position] == " " else -1
    return -1


def normalise(title: str) -> str:
    """What two spellings of one title have in common: case, accents, punctuation, article and numerals set aside.

    "Matrix, The", "the matrix" and "Mátrix!" are all "matrix"; "Rocky II" is "rocky 2", "M*A*S*H" is "mash". Brackets
    are read as words: clean a title that may have alternates first. Empty only for a title without any word.
    """
    # "8½" has two numbers, "Alien³" a word and one.
    spaced = "".join(f" {char}" if unicodedata.category(char) == "No" else char for char in title)
    text = fold(put_article_first(spaced.strip())).replace("&", " and ")
    text = _INITIALS.sub("", text.replace("'", ""))
    words = _NOT_WORD.sub(" ", text).split()
    if len(words) > 1 and words[0] in ("the", "a", "an"):
        words = words[1:]
    return " ".join([*words[:1], *(_ROMAN.get(word, word) for word in words[1:])])
