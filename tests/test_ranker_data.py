"""What the ranker learns from: whole lists, parts of them, and what a teacher says of both."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.example import Example
from finetune.ranker_data import FEW, SHORTER, WHOLE, ranker_examples, shorter
from tools.catalog import Catalog


@pytest.fixture(scope="module")
def examples(tiny_catalog: Catalog) -> list[Example]:
    return list(ranker_examples(tiny_catalog, 1, 8))


def lines(example: Example) -> list[str]:
    return example.messages[-1].content.splitlines()[-len(example.choices) :]


def test_every_line_ends_in_the_letter_of_its_choice_and_says_seven_digits(examples: list[Example]) -> None:
    assert examples
    for example in examples:
        assert example.answer == ""
        for line, (letter, _) in zip(lines(example), example.choices, strict=True):
            assert line.endswith(letter)
            digits = line[:-1].split(" ")[-1]
            assert len(digits) == 7
            assert set(digits) <= set("0123456789-")
        assert sum(weight for _, weight in example.choices) == pytest.approx(1.0, abs=0.01)


def test_of_some_cases_the_whole_list_is_learned_and_of_each_some_parts(examples: list[Example]) -> None:
    parts = [example for example in examples if example.id.count("-") == 3]  # a case's id has two dashes
    whole = [example for example in examples if example not in parts]
    assert len(whole) == -(-len(parts) // SHORTER // WHOLE)
    assert all(2 <= len(part.choices) <= FEW for part in parts)


def test_the_same_seed_gives_the_same_examples(tiny_catalog: Catalog, examples: list[Example]) -> None:
    assert list(ranker_examples(tiny_catalog, 1, 8)) == examples


@given(seed=st.integers(0, 1000))
def test_a_part_keeps_the_lines_their_order_and_their_shares(examples: list[Example], seed: int) -> None:
    whole = next(one for one in examples if len(one.choices) > FEW)
    part = shorter(whole, random.Random(seed), 0)
    of_line = {line[:-1]: weight for line, (_, weight) in zip(lines(whole), whole.choices, strict=True)}
    kept = [line[:-1] for line in lines(part)]
    order = [line[:-1] for line in lines(whole)]
    assert [order.index(line) for line in kept] == sorted(order.index(line) for line in kept)
    assert [letter for letter, _ in part.choices] == sorted(letter for letter, _ in part.choices)
    total = sum(of_line[line] for line in kept)
    for line, (_, weight) in zip(kept, part.choices, strict=True):
        assert weight == pytest.approx(of_line[line] / total, abs=2e-4)
