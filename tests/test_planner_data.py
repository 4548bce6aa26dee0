"""The planner's training data: reproducible, right by the catalog, and apart from what it is measured on."""

import gzip
import random
from pathlib import Path

import pytest

from agent.grammar import plan_grammar
from agent.plan import Plan
from eval.held_out import DEVELOPMENT, REQUESTS
from finetune.dialogues import Dialogue
from finetune.example import read_examples, write_examples
from finetune.lexicon import domain_names, read_domain, read_frames, words_for
from finetune.make import read_apart
from finetune.planner_data import plain, planner_examples
from finetune.worlds import generated_world, real_world
from tests.test_grammar import accepts
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.measures import few
from tools.schema import Column


def test_the_same_seed_gives_the_same_file(tiny_catalog: Catalog, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert write_examples(tmp_path / name, planner_examples([tiny_catalog], 60, seed)) == 60
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("name", domain_names())
def test_every_plan_can_be_written_and_finds_something(name: str, tiny_catalog: Catalog) -> None:
    chance = random.Random(name)
    domain = read_domain(name)
    invented = domain.titles or domain.title_parts
    world = generated_world(domain, chance) if invented else real_world(tiny_catalog, domain)
    grammar = plan_grammar(world.manifest)
    turns = [turn for _ in range(12) for turn in Dialogue(world, read_frames(), chance).turns(4)]
    assert len(turns) > 20
    for turn in turns:
        text = turn.plan.text()
        assert Plan.parse(text) == turn.plan
        assert text.isascii() is False or accepts(grammar, text), text
        for call in turn.plan.calls:
            if call.tool == "sql_filter":
                assert len(world.select(call.arguments["where"], call.arguments.get("order_by", "")))


def test_no_held_out_request_is_among_the_training_phrases(tiny_catalog: Catalog) -> None:
    apart = read_apart(REQUESTS) | read_apart(DEVELOPMENT)
    examples = planner_examples([tiny_catalog], 1500, 1, apart)
    made = {plain(example.messages[-1].content.split("Message: ")[-1]) for example in examples}
    written = {plain(frame) for frames in read_frames().values() for frame in frames}
    assert len(apart) > 300
    assert not apart & (made | written)


def test_a_catalog_without_words_or_columns_is_refused(tiny_catalog: Catalog) -> None:
    domain = read_domain("films")
    with pytest.raises(UsherError, match="nobody has written how people ask for films"):
        words_for(tiny_catalog, [domain.model_copy(update={"noun": "boat", "nouns": ["boat"]})])
    with pytest.raises(UsherError, match="has no column 'colour'"):
        words_for(tiny_catalog, [domain.model_copy(update={"needs": ["colour"]})])


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl.gz"
    good = '{"role":"planner","id":"1","kind":"a","messages":[{"role":"user","content":"hi"}],"answer":"chat"}\n'
    with gzip.open(path, "wt") as file:
        file.write(good + '{"role":"cook"}\n')
    with pytest.raises(UsherError, match=r"data.jsonl.gz: line 2: role"):
        list(read_examples(path))


@pytest.mark.parametrize(("most", "bound"), [(341, 30), (157608, 10000), (5200, 500), (84, 8)])
def test_a_hidden_gem_has_few_ratings(most: int, bound: int) -> None:
    assert few(Column(name="n", type="integer", maximum=float(most))) == bound
