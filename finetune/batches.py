"""Examples as token batches that share their card: the system message is read once, the rest in rows behind it."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.llm import Message
from finetune.example import Example


@dataclass(frozen=True)
class Row:
    """Tokens behind the shared prefix: the rest of the prompt, then the answer with its end mark.

    `choices` are target weights of first tokens instead of an answer (the ranker): token id -> weight.
    """

    prompt: list[int]
    answer: list[int]
    choices: tuple[tuple[int, float], ...] = ()

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Batch:
    """Rows that stand behind one prefix (token ids)."""

    prefix: list[int]
    rows: Sequence[Row]

    @property
    def tokens(self) -> int:
        return len(self.prefix) + sum(len(row) for row in self.rows)


def encode(tokenizer: Any, example: Example) -> tuple[tuple[int, ...], Row]:
    """The prefix (the system message) and the row. Raises ValueError when the template does not begin with it."""
    prefix = _template(tokenizer, example.messages[:1], prompt=False)
    whole = _template(tokenizer, example.messages, prompt=True)
    if whole[: len(prefix)] != prefix:
        raise ValueError("the chat template does not begin with the system message")
    answer = (
        [] if example.choices else [*tokenizer.encode(example.answer, add_special_tokens=False), tokenizer.eos_token_id]
    )
    choices = tuple((tokenizer.encode(text, add_special_tokens=False)[0], weight) for text, weight in example.choices)
    return tuple(prefix), Row(whole[len(prefix) :], answer, choices)


def _template(tokenizer: Any, messages: Sequence[Message], prompt: bool) -> list[int]:
    said = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(said, add_generation_prompt=prompt, tokenize=False)
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def batches(encoded: Sequence[tuple[tuple[int, ...], Row]], size: int, longest: int, seed: int) -> Iterator[Batch]:
    """One pass over the examples in an order that `seed` alone decides. Rows of one batch have like lengths.

    Rows over `longest` tokens are left out.
    """
    chance = random.Random(seed)
    groups: defaultdict[tuple[int, ...], list[Row]] = defaultdict(list)
    for prefix, row in encoded:
        if len(row) <= longest:
            groups[prefix].append(row)
    made = []
    for prefix in sorted(groups):
        rows = groups[prefix]
        chance.shuffle(rows)
        for start in range(0, len(rows), size * 8):  # sorted within windows: like lengths, and yet another mix a pass
            window = sorted(rows[start : start + size * 8], key=len)
            made += [Batch(list(prefix), window[at : at + size]) for at in range(0, len(window), size)]
    chance.shuffle(made)
    yield from made
