"""How people type: casing, slang, typos, emoji, punctuation; words that a plan copies are left alone."""

import random
import re
from typing import Any

NEIGHBOURS = {
    "a": "sq",
    "e": "wr",
    "i": "uo",
    "o": "ip",
    "s": "ad",
    "t": "ry",
    "n": "bm",
    "r": "et",
    "l": "k",
    "m": "n",
}


def noisy(text: str, kept: str, frames: dict[str, Any], chance: random.Random) -> str:
    """A message as it would be typed. `kept` holds the words that stay as they are, but for their case."""
    if chance.random() < 0.22:
        text = f"{chance.choice(frames['openers'])} {text}"
    if chance.random() < 0.14:
        text = f"{text.rstrip('.?! ')}{chance.choice([' ', ', '])}{chance.choice(frames['closers'])}"
    protected = set(re.findall(r"\w+", kept.lower()))
    if chance.random() < 0.12:
        text = _slang(text, frames["slang"], protected, chance)
    if chance.random() < 0.14:
        text = _typos(text, protected, chance)
    draw = chance.random()
    if draw < 0.5:
        text = text.lower()
    elif draw < 0.95:
        text = text[:1].upper() + text[1:]
    else:
        text = text.upper()
    if chance.random() < 0.4:
        text = text.rstrip(".?!")
    if chance.random() < 0.06:
        text = f"{text} {chance.choice(frames['emoji'])}"
    return " ".join(text.split())


def _slang(text: str, slang: dict[str, list[str]], protected: set[str], chance: random.Random) -> str:
    for plain, variants in slang.items():
        if not protected & set(plain.lower().split()):
            text = re.sub(rf"\b{re.escape(plain)}\b", lambda _: chance.choice(variants), text)  # noqa: B023
    return text


def _typos(text: str, protected: set[str], chance: random.Random) -> str:
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha() and word.lower() not in protected]
    for at in chance.sample(places, min(len(places), chance.choice([1, 1, 2]))):
        word, spot = words[at], chance.randrange(1, len(words[at]) - 1)
        kind = chance.randrange(4)
        if kind == 0:
            words[at] = word[:spot] + word[spot + 1] + word[spot] + word[spot + 2 :]
        elif kind == 1:
            words[at] = word[:spot] + word[spot + 1 :]
        elif kind == 2:
            words[at] = word[:spot] + word[spot] + word[spot:]
        else:
            near = NEIGHBOURS.get(word[spot].lower())
            words[at] = word[:spot] + chance.choice(near) + word[spot + 1 :] if near else word
    return " ".join(words)
