"""One reply measured: what the check says of it, whether it names a pick, whether it repeats itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agent.evidence import Pick
from agent.facts import WORD, Checker, fold, split
from eval.plans import Share

GRAM = 4  # words in a row that a reply should not say twice


@dataclass(frozen=True)
class Measured:
    """A text, the words of it that nothing supports, and its share of each measure."""

    text: str
    unsupported: tuple[str, ...]
    shares: dict[str, Share]


@dataclass(frozen=True)
class Reply:
    """One turn as it was answered.

    `first` is the writer's whole first try, whatever the check thought of it, and `sent` what went out. `came` is how:
    "as written", "rewritten" or "plain reply" (all of it, or what followed the sentences that had passed). `ms_first`
    is from the writer's start to its first words, `ms` to the last.
    """

    dialogue: str
    turn: int
    kind: str
    act: str
    text: str
    titles: tuple[str, ...]
    given_up: tuple[str, ...]
    came: str
    first: Measured
    sent: Measured
    ms_first: float
    ms: float


def measured(checker: Checker, text: str) -> Measured:
    """A reply about the checker's picks; that it names one is asked only where there are any."""
    refused = [sentence.unsupported for sentence in checker.sentences(text)]
    shares = {
        "supported replies": _of(not any(refused)),
        "supported sentences": (float(sum(not words for words in refused)), float(len(refused))),
        "repeats itself": _of(repeats(text, checker.picks)),
        "words": (float(len(words_of(text))), 1.0),
    }
    if checker.picks:
        shares["names a pick"] = _of(any(pick.item.title in text for pick in checker.picks))
    return Measured(text, tuple(word for words in refused for word in words), shares)


def repeats(text: str, picks: Sequence[Pick]) -> bool:
    """Whether a sentence or four words in a row come twice; a title counts as one word, or its own words would."""
    sentences = [" ".join(words_of(sentence)) for sentence in split(text, picks)]
    for place, pick in sorted(enumerate(picks), key=lambda pair: -len(pair[1].item.title)):
        text = text.replace(pick.item.title, f"title{place}")
    return any(count > 1 for said in (sentences, _grams(words_of(text), GRAM)) for count in Counter(said).values())


def distinct(texts: Sequence[str], size: int) -> float:
    """Distinct n-grams as a share of all n-grams of these texts (Li et al. 2016); it falls as texts grow in number."""
    grams = [gram for text in texts for gram in _grams(words_of(text), size)]
    return len(set(grams)) / max(1, len(grams))


def words_of(text: str) -> list[str]:
    """Lower case, without accents."""
    return WORD.findall(fold(text))


def _grams(words: Sequence[str], size: int) -> list[str]:
    return [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]


def _of(right: bool) -> Share:
    return float(right), 1.0
