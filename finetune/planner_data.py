"""The planner's training data: dialogues composed over the catalogs at hand, views of them, and generated catalogs."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent.messages import planner_messages
from finetune.dialogues import Dialogue
from finetune.example import Example
from finetune.lexicon import Domain, domain_names, read_domain, read_frames
from finetune.wish import Turn
from finetune.worlds import World, generated_world, real_world, view
from tools.catalog import Catalog
from tools.errors import UsherError

REAL = 0.45  # share of the examples over a catalog at hand with its whole card
VIEWS = 0.15  # and over some of its columns; the rest over generated catalogs
PER_CARD = 24  # examples over one view or generated catalog: they share their card in training
LENGTHS = {1: 50, 2: 18, 3: 14, 4: 9, 5: 6, 6: 3}  # of a dialogue in turns, with weights


def planner_examples(catalogs: Sequence[Catalog], count: int, seed: int) -> Iterator[Example]:
    """`count` examples that `seed` and the catalogs decide. Raises UsherError for a catalog nobody has words for."""
    chance = random.Random(seed)
    frames = read_frames()
    domains = {name: read_domain(name) for name in domain_names()}
    real = [real_world(catalog, words_for(catalog, domains.values())) for catalog in catalogs]
    invented = [domain for domain in domains.values() if domain.titles or domain.title_parts]
    made = 0
    while made < count:
        draw = chance.random()
        if real and draw < REAL:
            world = chance.choice(real)
        elif real and draw < REAL + VIEWS:
            world = view(chance.choice(real), chance)
        else:
            world = generated_world(chance.choice(invented), chance)
        for turn in _turns(world, frames, chance, min(PER_CARD, count - made)):
            made += 1
            yield example(world, turn, f"{seed}-{made}")


def words_for(catalog: Catalog, domains: Iterable[Domain]) -> Domain:
    """The domain that speaks of what the catalog holds. Raises UsherError naming the columns it needs."""
    noun = catalog.manifest.noun
    for domain in domains:
        if noun in (domain.noun, *domain.nouns):
            missing = [name for name in domain.needs if catalog.manifest.column(name) is None]
            if missing:
                raise UsherError(
                    f"{catalog.folder}: has no column {missing[0]!r}, which requests for {noun}s are made of"
                )
            return domain
    raise UsherError(
        f"{catalog.folder}: nobody has written how people ask for {noun}s; add finetune/data/domains/{noun}s.yaml"
    )


def _turns(world: World, frames: dict[str, Any], chance: random.Random, count: int) -> Iterator[Turn]:
    made = 0
    while made < count:
        length = chance.choices(list(LENGTHS), list(LENGTHS.values()))[0]
        for turn in Dialogue(world, frames, chance).turns(length):
            yield turn
            made += 1
            if made == count:
                return


def example(world: World, turn: Turn, identifier: str) -> Example:
    messages = planner_messages(world.manifest, turn.context)
    return Example(role="planner", id=identifier, kind=turn.kind, messages=messages, answer=turn.plan.text())
