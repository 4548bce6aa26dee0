"""What a replay file gives to be scored, and what is wrong with it: counted and named, never dropped silently."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.recorded import Turn, read_texts, read_turn
from eval.metrics import unnamed
from tools.errors import UsherError

TOLERATED = 0.01  # share of bad lines up to which a run goes on by itself
NAMED = 20  # problems that a report spells out


@dataclass(frozen=True)
class Problem:
    """`kind` is one of: broken line, duplicate id, empty gold, unknown gold, unknown mentioned."""

    line: int
    kind: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.kind}: {self.what}"


@dataclass(frozen=True)
class Replay:
    """`turns` are the lines that can be scored, in the order of the file.

    A gold item that the catalog lacks stays: no ranking can hold it, so it counts as missed. Lines that are broken,
    repeat an id or have no gold are not among the turns.
    """

    file: Path
    turns: tuple[Turn, ...]
    problems: tuple[Problem, ...]
    lines: int

    @property
    def bad_share(self) -> float:
        """The share of lines with a problem."""
        return len({problem.line for problem in self.problems}) / max(self.lines, 1)

    def dialogues(self) -> dict[str, list[Turn]]:
        """The turns of each dialogue, shortest first."""
        found: dict[str, list[Turn]] = {}
        for turn in self.turns:
            found.setdefault(turn.dialogue, []).append(turn)
        return {name: sorted(turns, key=lambda turn: len(turn.messages)) for name, turns in found.items()}

    def gold(self, turn: Turn) -> tuple[str, ...]:
        """What is to be found: the gold nobody had named."""
        return unnamed(turn.gold, turn.mentioned)

    def json(self) -> dict[str, Any]:
        """The counts, and the first problems in words."""
        gold = sum(len(set(turn.gold)) for turn in self.turns)
        kept = sum(len(self.gold(turn)) for turn in self.turns)
        return {
            "lines": self.lines,
            "turns": len(self.turns),
            "dialogues": len(self.dialogues()),
            "gold": gold,
            "gold_named_before": gold - kept,
            "gold_named_before_share": round((gold - kept) / max(gold, 1), 4),
            "turns_without_other_gold": sum(not self.gold(turn) for turn in self.turns),
            "bad_lines": len({problem.line for problem in self.problems}),
            "problems": dict(Counter(problem.kind for problem in self.problems)),
            "named": [str(problem) for problem in self.problems[:NAMED]],
        }


def read_replay(file: Path, known: Container[str], tolerated: float = TOLERATED) -> Replay:
    """`known` are the catalog's item ids.

    Raises UsherError for a file that cannot be read or has nothing to score, and, naming the first problem, where a
    larger share of its lines than `tolerated` is bad.
    """
    turns: dict[str, Turn] = {}
    problems: list[Problem] = []
    count = 0
    for number, text in read_texts(file):
        count += 1
        try:
            turn = read_turn(text)
        except UsherError as error:
            problems.append(Problem(number, "broken line", str(error)))
            continue
        if turn.id in turns:
            problems.append(Problem(number, "duplicate id", turn.id))
            continue
        if not turn.gold:
            problems.append(Problem(number, "empty gold", turn.id))
            continue
        problems += _unknown(number, turn, known)
        turns[turn.id] = turn
    found = Replay(file, tuple(turns.values()), tuple(problems), count)
    if found.bad_share > tolerated:
        raise UsherError(
            f"{file}: {_counted(problems)} in {count} lines, {found.bad_share:.1%} of them bad;"
            f" first {problems[0]}; mend them, or allow more with --bad-lines {found.bad_share:.2g}"
        )
    if not turns:
        raise UsherError(f"{file}: has nothing to score")
    return found


def _unknown(number: int, turn: Turn, known: Container[str]) -> list[Problem]:
    """Ids that the catalog lacks."""
    fields = (("gold", turn.gold), ("mentioned", turn.mentioned))
    return [
        Problem(number, f"unknown {name}", f"{item_id} of {turn.id} is not in the catalog")
        for name, ids in fields
        for item_id in dict.fromkeys(ids)
        if item_id not in known
    ]


def _counted(problems: Sequence[Problem]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in Counter(problem.kind for problem in problems).items())
