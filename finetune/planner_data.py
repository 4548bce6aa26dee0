"""The planner's training data: dialogues composed over the catalogs at hand, views of them, and generated catalogs."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.context import planner_context
from agent.messages import planner_messages
from finetune.dialogues import Dialogue
from finetune.example import Example
from finetune.foreign import ForeignDialogue, languages
from finetune.lexicon import Domain, read_domains, read_frames, words_for
from finetune.redial import redial_examples
from finetune.wish import Turn
from finetune.worlds import World, generated_world, real_world, view
from tools.catalog import Catalog

REAL = 0.45  # share of the examples over a catalog at hand with its whole card
VIEWS = 0.15  # and over some of its columns; the rest over generated catalogs
PER_CARD = 24  # examples over one view or generated catalog: they share their card in training
FOREIGN = 0.1  # share of the dialogues over a catalog at hand in another language, where its domain has some
RANK = 25  # of the film that was accepted, up to which a plan found by search is a label
LENGTHS = {1: 50, 2: 18, 3: 14, 4: 9, 5: 6, 6: 3}  # of a dialogue in turns, with weights


def planner_examples(
    catalogs: Sequence[Catalog], count: int, seed: int, apart: frozenset[str] = frozenset()
) -> Iterator[Example]:
    """`count` examples that `seed` and the catalogs decide, no message of which is in `apart` (as `plain` writes it).

    Raises UsherError for a catalog nobody has words for.
    """
    chance = random.Random(seed)
    frames = read_frames()
    domains = read_domains()
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
            if plain(turn.context.message) in apart:
                continue
            made += 1
            yield example(world, turn, f"{seed}-{made}")


def _turns(world: World, frames: dict[str, Any], chance: random.Random, count: int) -> Iterator[Turn]:
    made = 0
    while made < count:
        length = chance.choices(list(LENGTHS), list(LENGTHS.values()))[0]
        for turn in _dialogue(world, frames, chance).turns(length):
            yield turn
            made += 1
            if made == count:
                return


def _dialogue(world: World, frames: dict[str, Any], chance: random.Random) -> Dialogue:
    spoken = languages(world)
    if spoken and chance.random() < FOREIGN:
        return ForeignDialogue(world, frames, chance, chance.choice(spoken))
    return Dialogue(world, joined_frames(frames, world.domain), chance)


def joined_frames(frames: dict[str, Any], domain: Domain) -> dict[str, Any]:
    """The frames every domain shares with the domain's own English ones."""
    own = domain.languages.get("en", {})
    return {key: [*said, *own[key]] if key in own else said for key, said in frames.items()}


def real_examples(catalog: Catalog, file: Path, seed: int) -> Iterator[Example]:
    """Messages real people wrote (ReDial), where search found a good plan without loose words; greetings now and then.

    Raises UsherError naming the line of the file that is broken.
    """
    chance = random.Random(seed)
    for found in redial_examples(catalog, file, seed):
        loose = any(call.tool in ("dense_search", "bm25_search") for call in found.plan.calls)
        greeting = found.plan.act == "chat" and chance.random() < 0.8
        if not loose and not greeting and found.rank <= RANK:
            context = planner_context(catalog, found.session, found.message)
            messages = planner_messages(catalog.manifest, context)
            yield Example(
                role="planner", id=f"redial-{found.id}", kind="real", messages=messages, answer=found.plan.text()
            )


def plain(text: str) -> str:
    """Its words alone, to compare messages by."""
    return " ".join(re.findall(r"\w+", text.lower()))


def example(world: World, turn: Turn, identifier: str) -> Example:
    messages = planner_messages(world.manifest, turn.context)
    return Example(role="planner", id=identifier, kind=turn.kind, messages=messages, answer=turn.plan.text())
