"""The plan grammar: what can be written under it parses, and runs but for titles that no catalog has."""

import random
from typing import Any

import numpy as np
import pytest
import xgrammar
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.grammar import plan_grammar
from agent.models import model_path
from agent.plan import Plan
from agent.settings import Settings
from tools.schema import Column, Manifest
from tools.where import parse_order_by, parse_where

STEPS = 220  # tokens of a plan at most
CLOSERS = "\"%')]}"  # drawn more often, so that a random text ends


def manifest(*columns: Column) -> Manifest:
    return Manifest(
        name="made up", source="test", rows=9, interactions=1, columns=columns, parts={}, build_hash="0" * 16
    )


MANIFEST = manifest(
    Column(name="year", type="integer", minimum=1902.0, maximum=2016.0),
    Column(name="kinds", type="text", is_list=True, values=("Sci-Fi", "Film-Noir", 'so "called"', "it's")),
    Column(name="rated", type="text", values=("R", "PG-13")),
    Column(name="score", type="number", minimum=-1.5, maximum=9.8),
    Column(name="seen", type="boolean"),
    Column(name="made_on", type="date", minimum="1990-01-01", maximum="2020-12-31"),
    Column(name="maker", type="text", is_list=True),
)


def accepts(grammar: str, text: str) -> bool:
    vocabulary = [chr(code) for code in range(32, 127)] + ["é", "</s>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[len(vocabulary) - 1])
    matcher = xgrammar.GrammarMatcher(xgrammar.GrammarCompiler(info).compile_grammar(grammar))
    return bool(matcher.accept_string(text)) and matcher.is_completed()


@pytest.mark.parametrize(
    "text",
    [
        "chat",
        "ask Which kind? | facet_counts kinds",
        "recommend",
        "recommend 2 | dense_search at sea, don't ask",
        "recommend | sql_filter 'Sci-Fi' IN kinds AND year BETWEEN 1990 AND 1999 AND NOT ('it''s' IN kinds) AND "
        "maker ILIKE '%kurosawa%' AND score >= -1.5 AND made_on < '2001-02-03' ORDER BY score DESC",
        'recommend | cf_recommend "Heat", "Ocean\'s Eleven" NOT "It" | similar_items "Heat" | bm25_search it\'s',
        'recommend | cf_recommend NOT "It"',
        "recommend | sql_filter ORDER BY year ASC",
        "answer | sql_filter seen = true",
        'answer | title_lookup "What Not to Do"',
    ],
)
def test_a_good_plan_can_be_written_and_read_back(text: str) -> None:
    assert accepts(plan_grammar(MANIFEST), text)
    assert Plan.parse(text).text() == text


@pytest.mark.parametrize(
    "text",
    [
        "dance",
        "chat | dense_search a",
        "recommend 0 | dense_search a",
        "recommend | sql_filter colour = 1",
        "recommend | sql_filter 'Comedy' IN kinds",
        "recommend | sql_filter year = 1999; --",
        "recommend | rm a",
        "ask | facet_counts kinds",
    ],
)
def test_what_the_catalog_does_not_have_cannot_be_written(text: str) -> None:
    assert not accepts(plan_grammar(MANIFEST), text)


def test_without_interactions_nobody_can_ask_for_other_peoples_likes() -> None:
    text = 'recommend | cf_recommend "Heat"'
    assert accepts(plan_grammar(MANIFEST), text)
    assert not accepts(plan_grammar(MANIFEST.model_copy(update={"interactions": 0})), text)


words = st.text(st.characters(categories=["Lu", "Ll", "Nd", "Zs", "Po"], codec="ascii"), min_size=1, max_size=12)
columns = st.builds(
    lambda name, kind, values, low, size: Column(
        name=f"c_{name}",
        type=kind,
        is_list=kind == "text" and size % 2 == 0,
        values=tuple(values) if kind == "text" and values else None,
        minimum=float(low) if kind != "text" else None,
        maximum=float(low + size) if kind != "text" else None,
    ),
    st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True),
    st.sampled_from(["text", "integer", "number"]),
    st.lists(words.filter(str.strip), max_size=5, unique_by=str.lower),
    st.integers(-2000, 2000),
    st.integers(0, 10**6),
)


@settings(max_examples=50)
@given(st.lists(columns, min_size=1, max_size=5, unique_by=lambda column: column.name))
def test_every_catalog_has_a_grammar_that_compiles(made: list[Column]) -> None:
    assert accepts(plan_grammar(manifest(*made)), "chat")


@pytest.mark.model
def test_random_walks_under_the_grammar_give_plans_whose_filters_run() -> None:
    from transformers import AutoTokenizer

    path = model_path(Settings())
    tokenizer: Any = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)  # type: ignore[union-attr]
    size = len(tokenizer)
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size)
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(plan_grammar(MANIFEST))
    closers = np.array([token for token in range(size) if tokenizer.decode([token])[:1] in CLOSERS])
    bitmask = xgrammar.allocate_token_bitmask(1, size)
    chance, plans, wheres = random.Random(7), 0, 0
    for _ in range(60):
        matcher = xgrammar.GrammarMatcher(compiled)
        tokens: list[int] = []
        while not matcher.is_terminated() and len(tokens) < STEPS:
            matcher.fill_next_token_bitmask(bitmask)
            bits = np.unpackbits(bitmask.numpy().view(np.uint8), bitorder="little")[:size]
            allowed = np.flatnonzero(bits)
            closing = np.intersect1d(allowed, closers)
            token = int(chance.choice(closing if len(closing) and chance.random() < 0.3 else allowed))
            matcher.accept_token(token)
            tokens.append(token)
        if not matcher.is_terminated():
            continue
        plan = Plan.parse(tokenizer.decode(tokens, skip_special_tokens=True))
        plans += 1
        for call in plan.calls:
            if call.tool == "sql_filter":
                wheres += 1
                if where := call.arguments["where"]:
                    parse_where(where, MANIFEST)
                if "order_by" in call.arguments:
                    parse_order_by(call.arguments["order_by"], MANIFEST)
    assert plans >= 20
    assert wheres >= 5
