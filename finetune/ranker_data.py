"""The ranker's training data: real people's later likes among what the tools would have given them."""

from collections.abc import Iterator
from itertools import islice

from agent.histories import Case, cases
from agent.messages import LETTERS
from agent.rank import rank_messages
from finetune.example import Example
from tools.catalog import Catalog

ROUNDS = 50  # cases of one person at most


def ranker_examples(catalog: Catalog, seed: int, count: int, people: int | None = None) -> Iterator[Example]:
    """`count` examples of the people whom `agent.histories` gives to training, `people` of them at most.

    Fewer come only when their histories give no more. Raises UsherError for a catalog without interactions.
    """
    for case in islice(cases(catalog, "train", seed, ROUNDS, people), count):
        yield example(case, catalog.manifest.noun)


def example(case: Case, noun: str) -> Example:
    """The later likes share the weight; the other candidates, which the tools took for likely too, have none."""
    messages = rank_messages(noun, case.wish, [pick.item for pick in case.candidates], case.liked)
    weight = 1 / len(case.relevant)
    choices = tuple(
        (letter, weight if place in case.relevant else 0.0)
        for place, letter in enumerate(LETTERS[: len(case.candidates)])
    )
    return Example(role="ranker", id=case.id, kind=case.kind, messages=messages, answer="", choices=choices)
