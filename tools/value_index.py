"""What the words of a message may mean in a catalog: values, names and columns in it, decades and lengths of time.

Schema linking as in BRIDGE (Lin et al. 2020): a planner that is told which values a message names does not have to find
them on the card, and so can serve a catalog it was never trained on. Recall before precision: the planner decides.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from rapidfuzz.distance import OSA

from tools.bounds import bounds
from tools.literals import spell, spell_column
from tools.measures import Ends, Measures
from tools.misspelt import Misspelt
from tools.players import ages
from tools.sayings import beyond, words_in
from tools.schema import Column, Manifest
from tools.text import STOPWORDS, fold, stem
from tools.title_words import title_words

MOST = 10  # links of one message
ALIKE = 5  # letters that two forms of a word share at the start ("comedy", "comedies")
ENDING = 4  # letters that may follow them
# That everyday words may have and still be forms of one word.
ENDINGS = frozenset(["", "s", "es", "d", "ed", "er", "r", "ing", "e", "ly", "n"])
LEEWAY = 0.1  # of likeness between two values that the same misspelt words may be
SPELLING = 0.8  # OSA similarity from which a word is the other, misspelt
SURNAME = 4  # letters at least
PARTICLES = frozenset(
    ["de", "del", "della", "di", "da", "do", "dos", "du", "la", "le", "van", "von", "der", "den", "st", "mc"]
)
NAME_WORDS = 4  # of a proper name at most
SYNONYM_WORDS = 3  # of a synonym at most
VALUE_WORDS = 8  # of a value that may be made of names ("Paris, Texas, USA"); longer ones are prose
# Columns that share their words, and what stands before or after a word of the first: of both, only one is meant.
CAST = re.compile(
    r"\b(?:with|starring|stars|featuring|actors?|actress|acted by|mit|avec|con|met|med|com|z|ze|without|ohne"
    r"|sans|sin|senza|zonder)(?: the)? $",
    re.IGNORECASE,
)
CAST_AFTER = re.compile(
    r"(?:'s)?(?:,? (?:acting|in the cast|in it|stars?|starring|plays?|playing|on screen|sharing the screen|in the lead"
    r"|in something that|in the same|is in|should be in|has to be in|must be in)|[^.;!?,]{0,25} (?:actor|actress)\b)",
    re.IGNORECASE,
)
JOINED = re.compile(r",? ?(?:and|or|&|und|oder|et|ou|y|o|e|en|och|i)? (?:with |mit |avec |con )?", re.IGNORECASE)
SHARED = (
    (
        "language",
        "country",
        r"\b(?:in|speak\w*|spoken|practi[sc]\w+|learn\w*|auf|en|em|p[aå]|po|in het|in lingua|langue"
        r"|version)(?: my| the)? $",
        r"[ -](?:language|speaking|spoken|audio|dubbed|dialogue)\b",
    ),
    (
        "director",
        "cast",
        r"\b(?:by|direct\w+|director|filmmaker|von|par|de|di|van|av|re[zż]yserii|regia di|regie[: ]+(?:von"
        r"|van)?|r[ée]alis\w+ par|dirigid[ao]s? por)(?: the)?(?: great)? $",
        r"(?:'s\b| direct\w+|,? as (?:a )?director|(?: \w+)?,? with (?:him|her|them) directing|,? the director)",
    ),
)
STATES = re.compile(r"(?:U\.?S(?:\.?A)?|(?<=\bthe )u\.?s(?:\.?a)?)(?!\w)")  # "from the US", not "tell us"
FROM = "fran"  # folded, in Swedish; of "frans" (French) it is the stem
DRAWN = re.compile(r"([a-z])\1{2,}")  # "foood"
WORD = re.compile(r"[^\W_]+(?:['\u2019.][^\W_]+)*")


# A column, one of its values, a name in it, a bound on a number, or what a word such as "recent" says.
Kind = Literal["column", "value", "name", "bound", "word"]


@dataclass(frozen=True)
class Link:
    """`text[start:end]` may mean this: a condition in SQL, a column's name, a range of years, or minutes.

    `exact` where these are a value's own words, or a synonym's, and not something like them.
    """

    start: int
    end: int
    said: str
    kind: Kind
    exact: bool = False


@dataclass(frozen=True)
class ValueIndex:
    """The vocabularies of a catalog by their first words, and its proper names by their folded text."""

    values: tuple[tuple[tuple[str, ...], str], ...]  # words, condition
    synonyms: dict[tuple[str, ...], tuple[str, ...]]  # words, conditions
    names: dict[str, tuple[str, ...]]  # columns
    spelt: dict[str, str]  # folded names as the catalog has them
    misspelt: Misspelt
    measures: Measures

    @classmethod
    def of(cls, manifest: Manifest, named: Iterable[tuple[str, str]]) -> Self:
        """`named` are columns with one of their values each; those that look like proper names are kept."""
        values = list[tuple[tuple[str, ...], str]]()
        others: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        known = _synonyms()
        for column in manifest.columns:
            own = spell_column(column.name)
            held = "{} IN " + own if column.is_list else own + " = {}"
            said = [(value, held.format(spell(value))) for value in column.values or ()]
            said.append((column.name.replace("_", " "), f"{own} = true" if column.type == "boolean" else own))
            for value, condition in said:
                values.append((_words(value), condition))
                for synonym in known.get(fold(value), ()):
                    others[synonym].append(condition)
        names: defaultdict[str, dict[str, None]] = defaultdict(dict)
        spelt = dict[str, str]()
        for name, value in named:
            for part in value.split(", "):
                words = part.split()
                if 0 < len(words) <= NAME_WORDS and part[0].isupper() and len(part) > 3:
                    names[fold(part)][name] = None
                    spelt.setdefault(fold(part), part)
                    surname = words[-2:] if len(words) > 2 and fold(words[-2]) in PARTICLES else words[-1:]
                    if len(words) > 1 and len(" ".join(surname)) >= SURNAME and words[-1][0].isupper():
                        names[fold(" ".join(surname))].setdefault(name)
                        spelt.setdefault(fold(" ".join(surname)), " ".join(surname))
        return cls(
            tuple(pair for pair in values if pair[0]),
            {words: tuple(conditions) for words, conditions in others.items()},
            {key: tuple(columns) for key, columns in names.items()},
            spelt,
            Misspelt.of(spelt),
            Measures.of(manifest),
        )

    def link(self, text: str, common: frozenset[str], shown: Sequence[Ends] = ()) -> list[Link]:
        """In the order of the text. `common` are everyday words, which are no names when they stand alone; `shown` are
        columns with the ends of what the last items span in them, which "older" goes beyond.
        """
        words = list(WORD.finditer(text))
        folded = [stem(max(fold(word[0]).split("'"), key=len)) for word in words]  # children's, d'animazione
        folded = [DRAWN.sub(r"\1\1", word) for word in folded]
        states = set() if text.isupper() else {match.start() for match in STATES.finditer(text)}
        folded = ["usa" if word.start() in states else said for word, said in zip(words, folded, strict=True)]
        telling = [
            at for at, word in enumerate(words) if word.start() in states or fold(word[0]) not in (*STOPWORDS, FROM)
        ]
        values = _likest(self._values_in([words[at] for at in telling], [folded[at] for at in telling], common), text)
        measures = self.measures
        named = [(one.start, one.end, one.said) for one in values if one.exact]
        numbers = [Link(one.start, one.end, measures.condition(one, text, named), "bound") for one in bounds(text)]
        if measures.players is not None:
            numbers += [Link(*one, "bound", exact=True) for one in measures.players.found(text)]
        if measures.age is not None:
            numbers += [Link(*one, "bound", exact=True) for one in ages(text, measures.age)]
        compared = beyond(text, measures, shown, [] if numbers else named)
        said = [Link(*one, "word") for one in words_in(text, measures)]
        counted = {one.said.split(" ")[0] for one in numbers}  # "shorter than two hours" is no comparison
        said += [Link(*one, "word", exact=True) for one in compared if one[2].split(" ")[0] not in counted]
        names = [
            *self._names_in(text, words, common),
            *(
                Link(start, end, f"title ILIKE {spell(f'%{word}%')}", "name", exact=True)
                for start, end, word in title_words(text)
            ),
        ]
        whole = [one for one in names if " " in text[one.start : one.end]]  # a surname may be half of a name misspelt
        taken = [(one.start, one.end) for one in (*numbers, *values, *said, *whole) if one.kind != "value" or one.exact]
        names += self._misspelt_in(text, words, common, taken)
        found = _longest([*numbers, *said, *values, *names])
        bounded = {one.said.split(" ")[0] for one in (*numbers, *said)}
        used = {(one.start, one.end) for one in found if one.said in bounded}
        # A column's name says no more than its bound; "rating" that is bounded is not "ratings", too.
        found = [one for one in found if one.kind != "column" or (one.start, one.end) not in used]
        found = _one_of_both(text, found)
        first: dict[str, Link] = {}
        for link in sorted(found, key=lambda one: one.start):
            first.setdefault(link.said, link)
        return list(first.values())[:MOST]

    def _values_in(
        self, words: Sequence[re.Match[str]], folded: Sequence[str], common: frozenset[str]
    ) -> Iterator[Link]:
        right = [word in common for word in folded]
        for key, said in self.values:
            for first in range(len(words)):
                last = first + len(key) - 1
                if last < len(words) and all(map(_same, key, folded[first : last + 1], right[first : last + 1])):
                    exact = key == tuple(folded[first : last + 1])
                    yield Link(words[first].start(), words[last].end(), said, _kind(said), exact)
                elif len(key) > 1 and folded[first] == "".join(key):  # "scifi"
                    yield Link(words[first].start(), words[first].end(), said, _kind(said))
                elif len(key) > 1 and last < len(words) and _nearly(key, folded[first : last + 1]):
                    yield Link(words[first].start(), words[last].end(), said, _kind(said))

        for first in range(len(words)):
            for last in range(first, min(first + SYNONYM_WORDS, len(words))):
                for said in self.synonyms.get(tuple(folded[first : last + 1]), ()):
                    yield Link(words[first].start(), words[last].end(), said, _kind(said), exact=True)

    def _names_in(self, text: str, words: Sequence[re.Match[str]], common: frozenset[str]) -> Iterator[Link]:
        first = 0
        while first < len(words):
            after = first + 1
            for last in range(min(first + NAME_WORDS, len(words)) - 1, first - 1, -1):
                typed = text[words[first].start() : words[last].end()]
                columns = self.names.get(fold(typed), ())
                alone = first == last and _is_everyday(text, words[first], common)
                if columns and not alone and not (first == last and self._in_a_name(text, words, first)):
                    for column in columns:
                        yield Link(
                            words[first].start(),
                            words[last].end(),
                            f"{spell_column(column)} ILIKE {spell(f'%{typed}%')}",
                            "name",
                        )
                    after = last + 1
                    break
            first = after

    def _misspelt_in(
        self, text: str, words: Sequence[re.Match[str]], common: frozenset[str], taken: Sequence[tuple[int, int]]
    ) -> Iterator[Link]:
        """Names that are written otherwise than in the catalog, as it has them."""
        for start, end, name in self.misspelt.found(text, words, common, taken):
            for column in self.names[name]:
                yield Link(start, end, f"{spell_column(column)} ILIKE {spell(f'%{self.spelt[name]}%')}", "name")

    def _in_a_name(self, text: str, words: Sequence[re.Match[str]], at: int) -> bool:
        """Whether a capital stands beside this word's own: half of "James Bond" is nobody's name.

        The capital of a text's first word says nothing, unless that word is a name: "Any Hitchcock" names Hitchcock.
        """
        if not words[at][0][0].isupper():
            return False
        for near in (at - 1, at + 1):
            if 0 <= near < len(words) and words[near][0][0].isupper() and (near or fold(words[0][0]) in self.names):
                left, right = words[min(near, at)], words[max(near, at)]
                if text[left.end() : right.start()] == " ":
                    return True
        return False


@cache
def _synonyms() -> dict[str, tuple[tuple[str, ...], ...]]:
    """What else values and columns are called, as words: {"usa": (("american",), ("united", "state"), ...)}."""
    lines = files("tools").joinpath("data/synonyms.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(": ") for line in lines if line and not line.startswith("#")]
    return {value: tuple(map(_words, words.split(", "))) for value, words in pairs}


def name_columns(columns: Sequence[Column]) -> list[str]:
    """Those of free text, in which names may stand; titles have an index of their own."""
    free = [column.name for column in columns if column.type == "text" and column.values is None]
    return [name for name in free if "title" not in name]


def named_values(listed: Mapping[str, Iterable[object]]) -> Iterator[tuple[str, str]]:
    """Columns with each value that items have in them and that may be made of names."""
    for name, cells in listed.items():
        for cell in cells:
            for one in cell if isinstance(cell, (list, tuple)) else (cell,):
                if isinstance(one, str) and len(one.split()) <= VALUE_WORDS:
                    yield name, one


def _words(text: str) -> tuple[str, ...]:
    return tuple(stem(fold(word)) for word in re.findall(r"[^\W_]+", text) if fold(word) not in STOPWORDS)


def _longest(links: Iterable[Link]) -> list[Link]:
    """Without those whose words another one covers and more, PG in PG-13, or means exactly: thrilling in thriller."""
    held = list(links)
    return [one for one in held if not any(_covers(other, one) for other in held)]


def _likest(links: Iterable[Link], text: str) -> list[Link]:
    """Of values that the same words may be, misspelt, the nearest: "thriler" is a thriller, and not thrilling."""
    held = list(links)
    likeness = {
        one: OSA.normalized_similarity(fold(text[one.start : one.end]), fold(value[1]))
        for one in held
        if not one.exact and (value := re.search(r"'(.+)'", one.said))
    }
    best: defaultdict[tuple[int, int], float] = defaultdict(float)
    for one, alike in likeness.items():
        best[one.start, one.end] = max(best[one.start, one.end], alike)
    return [one for one in held if likeness.get(one, 1.0) >= best[one.start, one.end] - LEEWAY]


def _is_everyday(text: str, word: re.Match[str], common: frozenset[str]) -> bool:
    """Whether a word says nothing of a name it may be: for lack of a capital that no new sentence explains, an everyday
    word ("young"), and for lack of any capital a short one ("hurt").
    """
    capital = word[0][0].isupper()
    begins = re.search(r"(?:^|[.!?])\s*$", text[: word.start()]) is not None
    return (fold(word[0]) in common and (begins or not capital)) or (len(word[0]) <= SURNAME and not capital)


def _one_of_both(text: str, links: Sequence[Link]) -> list[Link]:
    """Of words that two columns share the one that is meant: "in French" is the language, "a French film" the country;
    "by Clint Eastwood" is the director, "with Clint Eastwood" the cast, "Clint Eastwood" alone may be either.
    """
    kept = list(links)
    for first, second, before, after in SHARED:
        ours, theirs = ({(one.start, one.end) for one in kept if _is_of(one, name)} for name in (first, second))
        for start, end in ours & theirs:
            lead, trail = text[:start], text[end:]
            meant = bool(re.search(before, lead, re.IGNORECASE) or re.match(after, trail, re.IGNORECASE))
            if first == "director" and not meant and not CAST.search(lead) and not CAST_AFTER.match(trail):
                beside = _beside(text, kept, start, end)
                if not beside:
                    continue
                meant = beside == first
            kept = [
                one
                for one in kept
                if (one.start, one.end) != (start, end) or not _is_of(one, second if meant else first)
            ]
    return kept


def _beside(text: str, links: Sequence[Link], start: int, end: int) -> str:
    """The one column of a name that "and" joins to this one: "Paul Newman and Robert Redford"."""
    columns: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for one in links:
        if one.kind == "name":
            columns[one.start, one.end].add(one.said.split(" ")[0])
    for (first, last), held in columns.items():
        joined = text[last:start] if last <= start else text[end:first] if end <= first else ""
        if len(held) == 1 and len(joined) > 1 and JOINED.fullmatch(joined):
            (column,) = held
            return column.strip('"')
    return ""


def _is_of(link: Link, column: str) -> bool:
    """Whether a link is a condition on a column of this name, or of its plural."""
    return link.kind in ("value", "name") and bool(re.search(rf"(?: IN |^){column}s?(?= |$)", link.said))


def _kind(said: str) -> Kind:
    """Of what is said of a value or a column: a bare column says no condition."""
    return "value" if " " in said else "column"


def _covers(one: Link, other: Link) -> bool:
    if not (one.start <= other.start and other.end <= one.end):
        return False
    return one.end - one.start > other.end - other.start or (one.exact and not other.exact)


def _same(one: str, other: str, right: bool) -> bool:
    """Two forms of a word, or one misspelt, unless the other is `right`, an everyday word: "short" is not "sport",
    "music" is no form of "musical".
    """
    if one == other:
        return True
    if one[:1] != other[:1] or min(len(one), len(other)) < ALIKE:
        return False
    shared = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if (
        shared >= ALIKE
        and max(len(one), len(other)) - shared <= ENDING
        and (not right or (one[shared:] in ENDINGS and other[shared:] in ENDINGS))
    ):
        return True
    return not right and OSA.normalized_similarity(one, other) >= SPELLING


def _nearly(key: Sequence[str], typed: Sequence[str]) -> bool:
    """Whether words too short to be mended alone are together a value of several, misspelt: "sci fy"."""
    if any(one[:1] != other[:1] for one, other in zip(key, typed, strict=True)):
        return False
    whole, other = "".join(key), "".join(typed)
    alike = OSA.normalized_similarity(whole, other, score_cutoff=SPELLING)
    return len(whole) > ALIKE - 1 and alike > 0 and any(a == b for a, b in zip(key, typed, strict=True))
