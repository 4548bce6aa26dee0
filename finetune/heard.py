"""What a real person's message says, by lexicon: conditions, titles with the feeling towards each, themes and names."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.stance import feeling_towards, likened
from finetune.lexicon import Domain
from finetune.phrases import DECADES, is_value, quote
from tools.catalog import Catalog
from tools.mentions import filler_words, find_mentions
from tools.text import fold

CHAT = re.compile(
    r"(?:(?:hi+|hello+|hey+|hiya|yo|good (?:morning|afternoon|evening|day)|"
    r"how(?:'s it going| are (?:you|u)(?: doing)?)|"
    r"(?:i(?:'| a)?m )?(?:good|fine|great|doing (?:well|good|great))|thank(?:s| you)(?: so much| a lot| very much)?|"
    r"(?:for )?(?:your|the|all your) help|bye+|good ?bye|have a (?:good|great|nice) (?:day|night|one|evening|weekend)|"
    r"you too|there|today|and you|you're welcome|take care|lol|haha+)[\s,.!?~:)]*)+"
)
MORE = re.compile(
    r"\b(?:else|more|other|others|another|different|already (?:seen|saw|watched)|seen (?:it|that|those|them|both))\b"
)
NEGATED = re.compile(r"(?:\b(?:no|not|without|except|hate|avoid|less|non)|n't(?: \w+)?)\s+(?:\w+\s+)?$")
ABOUT = re.compile(r"\b(?:about|involving|where|featuring|with)\s+([^.!?,;\n]{4,60}?)(?=[.!?,;\n]| or | but |$)")
DECADE = re.compile(r"\b(?:the )?(?:early |mid |late )?(?:(?:19)?(?P<tens>[2-9]0)|20(?P<new>[01]0))'?s\b")
YEARS = re.compile(r"\b(?P<recent>recent|newer|modern|new)\b|\b(?P<old>old|classics?|vintage|old-school|oldies)\b")
NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]{2,}(?: [A-Z][a-z]+){0,2}")
SAME = re.compile(r"\s*(?:,\s*)?(?:or|/)\s*(?:an? |some )?")


@dataclass(frozen=True)
class Condition:
    """`text[start:end]` asks for what `sql` says of `column`."""

    start: int
    end: int
    column: str
    sql: str


@dataclass(frozen=True)
class Heard:
    """`alike` are titles to be like; `themes` are queries for dense_search, `names` for bm25_search, best guess first.

    `more` says that others than before are wanted, `chat` that nothing is.
    """

    conditions: tuple[Condition, ...]
    liked: tuple[str, ...]
    disliked: tuple[str, ...]
    alike: tuple[str, ...]
    themes: tuple[str, ...]
    names: tuple[str, ...]
    more: bool
    chat: bool


class Listener:
    """The words of one catalog: its domain's lexicon and the names that its lists of names hold."""

    def __init__(self, catalog: Catalog, domain: Domain) -> None:
        self._catalog = catalog
        manifest = catalog.manifest
        self._forms: list[tuple[re.Pattern[str], str, str]] = []
        self._people: dict[str, list[str]] = {}
        self._year = ""
        for words in domain.columns:
            column = manifest.column(words.name)
            if column is None:
                continue
            if words.kind == "year":
                self._year, self._last = column.name, int(float(column.maximum or 0))
            for value in column.values or ():
                said = words.values.get(value)
                for text in [] if said is None else [value, *said.adj, *said.noun, *said.post]:
                    self._forms.append((_pattern(text), column.name, is_value(column, value)))
                for text in [] if said is None else said.refusal:
                    self._forms.append((_pattern(text), column.name, f"NOT ({is_value(column, value)})"))
            if column.type == "text" and column.is_list and column.values is None:
                for name in {name for cell in catalog.values(column.name) for name in cell or ()}:
                    if len(name.split()) > 1 and all(part[0].isupper() for part in name.split()):
                        self._people.setdefault(fold(name), []).append(column.name)
        nouns = (word for text in (*domain.nouns, *domain.plurals) for word in text.split())
        self._filler = filler_words() | frozenset(nouns)

    def hear(self, text: str) -> Heard:
        mentions = find_mentions(self._catalog, text)
        lowered = text.lower()
        hidden = list(lowered)  # titles are not read for anything else
        for mention in mentions:
            hidden[mention.start : mention.end] = "\0" * (mention.end - mention.start)
        masked = "".join(hidden)
        people = list(self._names(text, masked))
        conditions = _joined([*self._values(masked), *self._years(masked), *people], masked)
        feelings: dict[str, list[str]] = {"liked": [], "disliked": [], "alike": []}
        for place, mention in enumerate(mentions):
            feeling: str = feeling_towards(text, mentions, place)
            if feeling == "liked" and likened(text, mentions, place):
                feeling = "alike"
            title = str(self._catalog.titles[mention.row])
            if feeling in feelings and title not in feelings[feeling]:
                feelings[feeling].append(title)
        return Heard(
            conditions=tuple(conditions),
            liked=tuple(feelings["liked"]),
            disliked=tuple(feelings["disliked"]),
            alike=tuple(feelings["alike"]),
            themes=tuple(self._themes(masked, conditions)),
            names=tuple(self._proper(text, masked, people)),
            more=MORE.search(masked) is not None,
            chat=CHAT.fullmatch(lowered.strip()) is not None,
        )

    def _values(self, masked: str) -> Iterator[Condition]:
        """Values in their spoken forms; of forms that overlap the longest counts."""
        found = [
            Condition(match.start(), match.end(), column, sql)
            for pattern, column, sql in self._forms
            for match in pattern.finditer(masked)
        ]
        taken: list[Condition] = []
        for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
            if all(one.end <= other.start or one.start >= other.end for other in taken):
                taken.append(one)
        for one in taken:
            negated = not one.sql.startswith("NOT") and NEGATED.search(masked[: one.start]) is not None
            yield Condition(one.start, one.end, one.column, f"NOT ({one.sql})" if negated else one.sql)

    def _years(self, masked: str) -> Iterator[Condition]:
        if not self._year:
            return
        for match in DECADE.finditer(masked):
            first = 1900 + int(match["tens"]) if match["tens"] else 2000 + int(match["new"])
            yield Condition(match.start(), match.end(), self._year, f"{self._year} BETWEEN {first} AND {first + 9}")
        for first, said in DECADES.items():
            for match in re.finditer(rf"\b{said}\b", masked):
                yield Condition(match.start(), match.end(), self._year, f"{self._year} BETWEEN {first} AND {first + 9}")
        for match in YEARS.finditer(masked):
            bound = f">= {self._last - 5}" if match["recent"] else "< 1970"
            yield Condition(match.start(), match.end(), self._year, f"{self._year} {bound}")

    def _names(self, text: str, masked: str) -> Iterator[Condition]:
        """People, as the message spells them; one condition for each column that holds the name."""
        words = list(re.finditer(r"[^\W\d_][\w.'-]*", masked))
        for first in range(len(words)):
            for size in (4, 3, 2):
                if first + size <= len(words):
                    start, end = words[first].start(), words[first + size - 1].end()
                    for column in self._people.get(fold(masked[start:end]), []):
                        yield Condition(start, end, column, f"{column} ILIKE {quote('%' + text[start:end] + '%')}")

    def _themes(self, masked: str, conditions: Sequence[Condition]) -> Iterator[str]:
        left = list(masked)
        for one in conditions:
            left[one.start : one.end] = "\0" * (one.end - one.start)
        for match in ABOUT.finditer("".join(left)):
            if phrase := self._content(match[1]):
                yield phrase
        words = self._content(re.sub(r"[.!?,;\n]", " ", "".join(left))).split()
        if 1 < len(words) < 7:
            yield " ".join(words)

    def _content(self, phrase: str) -> str:
        """The phrase's words that are about something."""
        words = [word.strip("'\"()*-:~") for word in phrase.replace("\0", " ").split()]
        return " ".join(word for word in words if len(word) > 1 and word.isascii() and word not in self._filler)

    def _proper(self, text: str, masked: str, people: Sequence[Condition]) -> Iterator[str]:
        """Names in capitals that are neither titles nor people the catalog knows; none in a text that shouts."""
        if sum(word[0].isupper() for word in text.split()) > 0.4 * len(text.split()):
            return
        for match in NAME.finditer(text):
            known = any(match.start() < person.end and person.start < match.end() for person in people)
            if "\0" not in masked[match.start() : match.end()] and not known and match[0].lower() not in self._filler:
                yield match[0]


def _pattern(text: str) -> re.Pattern[str]:
    """The form as whole words, its last one in the plural too."""
    return re.compile(rf"\b{re.escape(text.lower())}(?:s|es)?\b")


def _joined(conditions: Sequence[Condition], masked: str) -> list[Condition]:
    """In the order said, each once; two values of one column with "or" between them are one condition."""
    kept: list[Condition] = []
    for one in sorted(conditions, key=lambda one: one.start):
        last = kept[-1] if kept else None
        if any(one.sql == other.sql for other in kept):
            continue
        if last is not None and last.column == one.column and SAME.fullmatch(masked[last.end : one.start]):
            kept[-1] = Condition(last.start, one.end, one.column, f"({last.sql.strip('()')} OR {one.sql})")
        else:
            kept.append(one)
    return kept
