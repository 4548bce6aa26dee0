"""One simulated dialogue: a person, what they say, what a recommender answers, and what is measured of each turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from agent.events import Done
from agent.facts import Checker, neutral_words
from agent.memory import Profile, Session
from agent.messages import LEAVE, Heard
from agent.write import given_up
from eval.agenda import stated
from eval.leaks import Outside
from eval.people import Person, Taste
from eval.recommenders import Recommender
from eval.runs import Record
from tools.catalog import Catalog

TURNS = 5
LISTED = 5  # items of a turn that count
TAKEN = "i'll take"  # how a simulated user ends by taking something

Share = tuple[float, float]  # a sum, and of how many


class User(Protocol):
    """`say` gives the next message; `read` what a model read before it, empty for a user without one."""

    def say(self, heard: Sequence[Heard]) -> str: ...

    def read(self, heard: Sequence[Heard]) -> str: ...


@dataclass(frozen=True)
class Stage:
    """What all dialogues over one catalog share."""

    catalog: Catalog

    def play(self, user: User, person: Person, recommender: Recommender) -> Record:
        """The record of a dialogue, of up to TURNS turns. Raises EngineError when a model cannot be reached."""
        session = Session(profile=Profile(liked=list(person.liked), disliked=list(person.disliked)))
        heard: list[Heard] = []
        turns: list[Record] = []
        end = "turns"
        for _ in range(TURNS):
            read, said = user.read(heard), user.say(heard)
            if LEAVE in said or said.lower().startswith(TAKEN):
                end = "left" if LEAVE in said else "took"
                turns.append(_last(read, said))
                break
            started = time.perf_counter()
            done, tokens = recommender.turn(session, said)
            seconds = time.perf_counter() - started
            heard.append(Heard(said, done.reply, done.picks[:LISTED]))
            turns.append(self._turn(read, heard, done, person, tokens, seconds))
        wish = [taste.line() for one in person.wishes for taste in one.tastes]
        about = {"kind": person.kind, "persona": person.persona, "tastes": wish, "hidden": sorted(person.hidden)}
        return {**about, "turns": turns, "end": end, "shares": self.measure(person, turns, heard, end)}

    def _turn(
        self, read: str, heard: Sequence[Heard], done: Done, person: Person, tokens: int | None, seconds: float
    ) -> Record:
        picks, said = done.picks[:LISTED], " ".join(one.said for one in heard)
        goal = person.wish(len(heard)).goal
        documents = self.catalog.documents([pick.item.row for pick in done.picks])
        spoken = f"{said} {self.catalog.manifest.noun}"
        checker = Checker(self.catalog.manifest, done.picks, documents, spoken, self._neutral)
        shown = [
            {
                "item_id": pick.item.item_id,
                "title": pick.item.title,
                "year": pick.item.year,
                "line": pick.line(),
                "goal": pick.item.item_id in goal,
                "hidden": pick.item.item_id in person.hidden,
            }
            for pick in picks
        ]
        return {
            "said": heard[-1].said,
            "read": read,
            "reply": done.reply,
            "act": done.plan.act,
            "plan": done.plan.text(),
            "relaxed": list(done.relaxed),
            "notes": list(done.notes),
            "items": shown,
            "outside": [
                *(pick.name for pick in picks if self.catalog.row_of(pick.item.item_id) is None),
                *self._outside.named(_unshown(done), "\n".join([said, *(str(item["line"]) for item in shown)])),
            ],
            "unsupported": unsupported(checker, done.reply.removeprefix(given_up(done.relaxed))) if done.picks else [],
            "tokens": tokens,
            "seconds": round(seconds, 4),
        }

    def measure(
        self, person: Person, turns: Sequence[Record], heard: Sequence[Heard], end: str
    ) -> dict[str, Share | None]:
        """Every measure of one dialogue as a sum and of how many; None where there was nothing to measure it on."""
        answered = turns[: len(heard)]
        first = next((n for n, turn in enumerate(answered, 1) if any(item["goal"] for item in turn["items"])), None)
        shares: dict[str, Share | None] = {
            f"success@{turn}": (float(first is not None and first <= turn), 1.0) for turn in range(1, TURNS + 1)
        }
        lists = [one.picks for one in heard if one.picks]
        items = [pick.item for picks in lists for pick in picks]
        known: set[str] = set()
        repeats = 0
        for item in items:
            repeats += item.item_id in known
            known.add(item.item_id)
        rows = [[pick.item.row for pick in picks] for picks in lists]
        tokens = [turn["tokens"] for turn in answered]
        return shares | {
            "turns to success": (float(first), 1.0) if first is not None else None,
            "hits": (float(len(known & person.hidden)), 1.0),
            "adaptation": _some(self._adaptation(person, heard)),
            "violations": _some(self._violations(person, heard)),
            "repeats": _some((float(repeats), float(len(items)))),
            "diversity": _some(self._diversity(rows)),
            "popularity lift": self._lift(person, rows),
            "outside": (float(sum(len(turn["outside"]) for turn in answered)), float(len(answered))),
            "unsupported": (float(sum(bool(turn["unsupported"]) for turn in answered)), float(len(answered))),
            "replaced": (float(sum(_replaced(turn["notes"]) for turn in answered)), float(len(answered))),
            "asked": (float(sum(not turn["items"] for turn in answered)), float(len(answered))),
            "left": (float(end == "left"), 1.0),
            "took": (float(end == "took"), 1.0),
            "tokens": (float(sum(tokens)), float(len(tokens))) if tokens and None not in tokens else None,
            "seconds": (sum(turn["seconds"] for turn in answered), float(len(answered))),
        }

    def _adaptation(self, person: Person, heard: Sequence[Heard]) -> Share:
        """Of the dislikes stated after a list that showed them, how many are gone from the next list."""
        gone = tried = 0
        for number, (before, after) in enumerate(pairwise(heard), start=2):
            if not after.picks:
                continue
            for taste in _stated(person, number, [after.said]):
                if not taste.wanted and any(taste.held_by(pick.item) for pick in before.picks):
                    tried += 1
                    gone += not any(taste.held_by(pick.item) for pick in after.picks)
        return float(gone), float(tried)

    def _violations(self, person: Person, heard: Sequence[Heard]) -> Share:
        """Of the items shown, how many break something the person had said by then and still meant."""
        broken = shown = 0
        for number, one in enumerate(heard, start=1):
            changed = len(person.wishes) > 1 and number > 2
            tastes = _stated(person, number, [before.said for before in heard[2 if changed else 0 : number]])
            if tastes:
                shown += len(one.picks)
                broken += sum(not all(taste.met_by(pick.item) for taste in tastes) for pick in one.picks)
        return float(broken), float(shown)

    def _diversity(self, lists: Sequence[Sequence[int]]) -> Share:
        """One less the mean cosine similarity of the pairs in a list (Ziegler et al. 2005), summed over lists."""
        found = []
        for rows in lists:
            vectors = self.catalog.dense.vectors[list(rows)]
            known = vectors[np.isfinite(vectors).all(axis=1)]
            if len(known) > 1:
                cosines = known @ known.T
                found.append(1.0 - float((cosines.sum() - len(known)) / (len(known) * (len(known) - 1))))
        return float(sum(found)), float(len(found))

    def _lift(self, person: Person, lists: Sequence[Sequence[int]]) -> Share | None:
        """How much more popular what was shown is than the person's own past likes (Abdollahpouri et al. 2019), as a
        share of the latter: 0 for equally, 1 for twice as popular.
        """
        shown = [row for rows in lists for row in rows]
        own = [row for item in person.liked if (row := self.catalog.row_of(item)) is not None]
        popularity = self.catalog.popularity
        if not shown or not own or not popularity[own].mean():
            return None
        return float(popularity[shown].mean() / popularity[own].mean() - 1), 1.0

    @cached_property
    def _neutral(self) -> frozenset[str]:
        return neutral_words()

    @cached_property
    def _outside(self) -> Outside:
        return Outside(self.catalog)


def unsupported(checker: Checker, reply: str) -> list[str]:
    """The words of a reply that nothing shown supports. A line of a list is about the item it names to its end."""
    found: list[str] = []
    for line in reply.splitlines():
        found += checker.unsupported(line) if line.startswith("- ") else checker.check(line)
    return found


def _unshown(done: Done) -> str:
    """The reply without the items shown, whose titles may be written in ways that no rule foresees."""
    reply = done.reply
    for pick in sorted(done.picks, key=lambda pick: -len(pick.name)):
        reply = reply.replace(pick.name, " ").replace(pick.item.title, " ")
    return reply


def _last(read: str, said: str) -> Record:
    """The turn of a message that nobody answers."""
    return {"said": said, "read": read, "reply": "", "items": [], "seconds": 0.0}


def _stated(person: Person, turn: int, said: Sequence[str]) -> list[Taste]:
    text = " ".join(said).lower()
    return [taste for taste in person.wish(turn).tastes if stated(taste, text)]


def _replaced(notes: Sequence[str]) -> bool:
    return any(note.startswith("writer: unsupported") for note in notes) and "writer: plain reply" in notes


def _some(share: Share) -> Share | None:
    return share if share[1] else None
