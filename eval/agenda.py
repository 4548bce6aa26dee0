"""The rule-driven user: a stack of things to say, worked through turn by turn (agenda; Schatzmann et al. 2007).

What is shown pushes new things onto the stack: a refused value that was seen, a stated taste that was missed, an item
that fits. The user judges items by their attributes against its own tastes and never knows a hidden title. What it says
follows from its person, a seed and what it was shown.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.evidence import Pick
from agent.messages import LEAVE, Heard, UserKind
from eval.people import Person, Taste

PATIENCE: dict[UserKind, int] = {"knows": 4, "vague": 5, "changes mind": 5, "contrary": 3, "terse": 4}  # lists
FIRST_SAID: dict[UserKind, int] = {"knows": 3, "vague": 0, "changes mind": 1, "contrary": 1, "terse": 1}  # tastes

WANT = ("I'm in the mood for a {noun}: {}", "looking for a {noun}, {}", "I want a {noun}: {}")
VAGUE = ("I don't know, surprise me", "what's a good {noun}?", "I'm bored, any {noun} will do", "recommend me a {noun}")
ADD = ("make it {}", "could it be {}?", "more like {}", "I'd rather see {}")
AGAIN = ("no, I asked for {}", "that's not it, I want {}", "it should be {}")
REFUSE = ("no {}, please", "not {}", "I don't want {}", "nothing with {}")
LIKED = ("I like {title}. What else is there?", "{title} sounds good, more like that?", "yes, {title}! Another one?")
KNOWN = ("I've seen {title}. Something else?", "{title} I know already, what else?")
OTHERS = ("show me something else", "none of these, what else do you have?", "hmm, others?")
CHANGED = ("never mind, now I'd like {}", "changed my mind: {}", "forget that, {} instead")
OPEN = ("no preference", "anything is fine")
GONE = ("never mind, I'll look elsewhere", "thanks, this isn't working", "no, I give up")


@dataclass(frozen=True)
class AgendaUser:
    """Says what its person would, by rule; `noun` is what the catalog calls an item."""

    person: Person
    noun: str
    seed: int

    def say(self, heard: Sequence[Heard]) -> str:
        """The next message; one that ends in LEAVE ends the dialogue."""
        turn = len(heard) + 1
        chance = random.Random(f"{self.seed} {self.person.id} {turn}")
        text = self._first(chance) if not heard else self._next(heard, turn, chance)
        return text.lower() if self.person.kind == "terse" else text

    def read(self, heard: Sequence[Heard]) -> str:  # noqa: ARG002 - it reads no text, only what items have
        """Nothing."""
        return ""

    def _first(self, chance: random.Random) -> str:
        tastes = self.person.wish(1).tastes
        told = [taste for taste in tastes if taste.wanted][: FIRST_SAID[self.person.kind]]
        if not told:
            return chance.choice(VAGUE).format(noun=self.noun)
        text = self._fill(WANT, told, chance)
        refused = [taste for taste in tastes if not taste.wanted]
        return f"{text}, but no {words(refused, ' or ')}" if refused and self.person.kind == "knows" else text

    def _next(self, heard: Sequence[Heard], turn: int, chance: random.Random) -> str:
        wish, last = self.person.wish(turn), heard[-1]
        wanted = [taste for taste in wish.tastes if taste.wanted]
        if turn == 3 and len(self.person.wishes) > 1:
            return self._fill(CHANGED, wanted[:2], chance)
        since = heard if len(self.person.wishes) == 1 or turn < 3 else heard[2:]
        said = " ".join(one.said for one in since).lower()
        unsaid = [taste for taste in wanted if not stated(taste, said)]
        if not last.picks:  # a question, or talk
            return self._fill(ADD, unsaid[:1], chance) if unsaid else chance.choice(OPEN)
        if self._is_tired(heard, turn):
            return f"{chance.choice(GONE)} {LEAVE}"
        agenda = [*self._refusals(last.picks, wish.tastes, chance), *self._praise(heard, turn, chance)]
        if missed := [taste for taste in wanted if taste not in unsaid and _mostly_missed(taste, last.picks)]:
            agenda.append(self._fill(AGAIN, missed[:1], chance))
        if unsaid:
            agenda.append(self._fill(ADD, unsaid[:1], chance))
        known = [pick for pick in last.picks if pick.item.item_id in self.person.seen]
        if known:
            agenda.append(chance.choice(KNOWN).format(title=known[0].item.title))
        return agenda[0] if agenda else chance.choice(OTHERS)

    def _refusals(self, picks: Sequence[Pick], tastes: Sequence[Taste], chance: random.Random) -> list[str]:
        """One for the value not wanted that most of the items have; a contrary person minds any, others two."""
        refused = [taste for taste in tastes if not taste.wanted]
        counts = {taste: sum(taste.held_by(pick.item) for pick in picks) for taste in refused}
        least = 1 if self.person.kind == "contrary" else 2
        seen = sorted((taste for taste in refused if counts[taste] >= least), key=lambda taste: -counts[taste])
        return [self._fill(REFUSE, seen[:1], chance)] if seen else []

    def _praise(self, heard: Sequence[Heard], turn: int, chance: random.Random) -> list[str]:
        """For the first new item that meets every taste; a contrary person praises nothing."""
        if self.person.kind == "contrary":
            return []
        fitting = self._fitting(heard[-1], turn)
        return [chance.choice(LIKED).format(title=fitting[0].item.title)] if fitting else []

    def _fitting(self, heard: Heard, turn: int) -> list[Pick]:
        tastes = self.person.wish(turn).tastes
        new = [pick for pick in heard.picks if pick.item.item_id not in self.person.seen]
        return [pick for pick in new if all(taste.met_by(pick.item) for taste in tastes)]

    def _is_tired(self, heard: Sequence[Heard], turn: int) -> bool:
        """Whether the last lists, as many as the person has patience for, held nothing that fits."""
        lists = [one for one in heard if one.picks][-PATIENCE[self.person.kind] :]
        return len(lists) == PATIENCE[self.person.kind] and not any(self._fitting(one, turn) for one in lists)

    def _fill(self, frames: Sequence[str], tastes: Sequence[Taste], chance: random.Random) -> str:
        """Tastes in a sentence; from a terse person, in as few words as they have."""
        if self.person.kind == "terse":
            return f"{'' if tastes[0].wanted else 'no '}{words(tastes, ', ')}"
        return chance.choice(frames).format(words(tastes, ", "), noun=self.noun)


def words(tastes: Sequence[Taste], between: str) -> str:
    """Tastes as people name them: "Comedy, from the 1990s"; years alone are "something from the 1990s"."""
    something = "something " if tastes[0].low else ""
    return something + between.join(f"from the {taste.low}s" if taste.low else taste.value for taste in tastes)


def stated(taste: Taste, said: str) -> bool:
    """Whether a lower-case text names the taste's value, or its years."""
    return (f"{taste.low}s" if taste.low else taste.value.lower()) in said


def _mostly_missed(taste: Taste, picks: Sequence[Pick]) -> bool:
    return 2 * sum(taste.met_by(pick.item) for pick in picks) < len(picks)
