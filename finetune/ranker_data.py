"""The ranker's training data: what people liked later, or accepted, among what the tools would have given them."""

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from agent import learning
from agent.fusion import Case as FusionCase
from agent.fusion import Fusion, fit
from agent.histories import Case, cases
from agent.learned import OWN, Ordered, Weights
from agent.llm import Message
from agent.messages import LETTERS
from agent.rank import digits_of, rank_messages
from agent.recorded import Turn, fold_of
from agent.signals import Matrix
from finetune.example import Example
from finetune.redial import TRAINING, read_turns
from tools.catalog import Catalog
from tools.scorer import top

ROUNDS = 50  # cases of one person at most
TAUGHT = 0.5  # share of a case's weight that the teacher gives
MIDDLE = 4.5  # of the digits
WHOLE = 6  # of so many cases one is learned as the whole list
SHORTER = 2  # parts of its list that every case is learned as
FEW = 6  # lines of such a part at most


def ranker_examples(
    catalog: Catalog, seed: int, count: int, people: int | None = None, redial: Path | None = None
) -> Iterator[Example]:
    """Examples of `count` cases: of recorded dialogues, if there are any, then of the people whom `agent.histories`
    gives to training, `people` of them at most.

    Few are whole lists, most are parts of them (`shorter`). Fewer cases come only when people's histories give no more.
    Raises UsherError for a catalog without interactions, and naming the line of a recorded dialogue that is broken.
    """
    recorded = [] if redial is None else list(recorded_cases(catalog, redial))[:count]
    found = [*recorded, *islice(cases(catalog, "train", seed, ROUNDS, people), count - len(recorded))]
    random.Random(seed).shuffle(found)
    teacher = fit([FusionCase(_read(case), _wanted(case)) for case in found]) if found else None
    chance = random.Random(seed)
    for number, case in enumerate(found):
        assert teacher is not None
        whole = example(case, catalog.manifest.noun, teacher)
        if number % WHOLE == 0:
            yield whole
        yield from (shorter(whole, chance, turn) for turn in range(SHORTER))


def example(case: Case, noun: str, teacher: Fusion) -> Example:
    """Half of the weight is shared by what was liked later; the other candidates, which the tools took for likely too,
    have none of it. The other half is as the `teacher` would share it, a conditional logit of the same digits over all
    cases: one later like says little, what all of them say is learned sooner (distillation, Hinton et al. 2015).
    """
    messages = rank_messages(noun, case.wish, case.candidates, case.ordered, case.liked)
    taught = softmax(teacher.score(_read(case)).astype(np.float64))
    wanted = _wanted(case)
    weights = (1 - TAUGHT) * wanted / wanted.sum() + TAUGHT * taught
    choices = tuple((letter, round(float(weight), 4)) for letter, weight in zip(LETTERS, weights, strict=False))
    return Example(role="ranker", id=case.id, kind=case.kind, messages=messages, answer="", choices=choices)


def shorter(whole: Example, chance: random.Random, number: int) -> Example:
    """The same with some of its lines under other letters: what is the best of few is sooner learned, and in a
    conditional logit the shares among some are those among all (Luce 1959).
    """
    said = whole.messages[-1].content.splitlines()
    head, lines = said[: -len(whole.choices)], said[-len(whole.choices) :]
    size = chance.randint(2, min(FEW, len(lines)))
    best = chance.choices(range(len(lines)), [weight for _, weight in whole.choices])[0]
    rest = [place for place in range(len(lines)) if place != best]
    places = sorted([best, *chance.sample(rest, size - 1)])
    letters = sorted(chance.sample(LETTERS, size))
    kept = [f"{lines[place][:-1]}{letter}" for place, letter in zip(places, letters, strict=True)]
    weights = np.array([whole.choices[place][1] for place in places])
    choices = tuple(zip(letters, (round(float(one), 4) for one in weights / weights.sum()), strict=True))
    messages = (*whole.messages[:-1], Message(whole.messages[-1].role, "\n".join([*head, *kept])))
    return whole.model_copy(update={"id": f"{whole.id}-{number}", "messages": messages, "choices": choices})


def _wanted(case: Case) -> NDArray[np.bool_]:
    return np.isin(np.arange(len(case.candidates)), case.relevant)


def _read(case: Case) -> Matrix:
    """What the ranker's lines say in numbers, shape (candidates, measures): unknown ones stand in the middle."""
    digits = [
        [float(one) if one.isdigit() else MIDDLE for one in said] for said in digits_of(case.candidates, case.ordered)
    ]
    places = np.log1p(np.arange(len(digits)))[:, None]
    return np.concatenate([places, np.array(digits)], axis=1).astype(np.float32)


def recorded_cases(catalog: Catalog, file: Path) -> Iterator[Case]:
    """Turns of the training folds in which what was suggested next is among the first that the learned fusion gives.

    The weights that order a turn were learned from the other training folds. Raises UsherError for a broken line.
    """
    turns = [turn for turn in read_turns(file) if fold_of(turn.dialogue) in TRAINING]
    heard = learning.listen(catalog, turns)
    gold = {turn.id: [one for one in turn.gold if one not in turn.mentioned] for turn in turns}
    for fold in TRAINING:
        weights = Weights.learned(learning.cases(catalog, heard, gold, None, fold), OWN)
        for turn in turns:
            if fold_of(turn.dialogue) == fold:
                yield from _recorded(catalog, turn, gold[turn.id], heard[turn.id], weights)


def _recorded(catalog: Catalog, turn: Turn, gold: list[str], heard: learning.Heard, weights: Weights) -> Iterator[Case]:
    """One turn, unless none of its first candidates was suggested, or all of them."""
    held, matrix = learning.known(heard, None, heard.fold)
    scores = weights.score(matrix)
    best = top(scores, len(LETTERS))
    ordered = Ordered(held.rows[best], scores[best], held.matrix[best])
    wanted = [row for item_id in gold if (row := catalog.row_of(item_id)) is not None]
    relevant = tuple(np.flatnonzero(np.isin(ordered.rows, wanted)).tolist())
    if 0 < len(relevant) < len(ordered.rows):
        wish = next((one.content for one in reversed(turn.messages) if one.role == "user"), "")
        items, liked = catalog.items(ordered.rows), catalog.items(heard.talk.feeling("liked"))
        yield Case(turn.id, turn.dialogue, "recorded", wish, tuple(liked), tuple(items), ordered, relevant)
