"""Hand-written dialogues as planner data: what no pattern says (finetune/data/planner_written.jsonl)."""

import random
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from agent.context import planner_context
from agent.messages import planner_messages
from agent.written import Dialogue, problem, remember
from finetune.example import Example
from finetune.lexicon import read_frames
from finetune.noise import noisy
from tools.catalog import Catalog
from tools.errors import UsherError

TIMES = 3  # each dialogue is said: once as it was written, then as others would type it


def written_examples(catalog: Catalog, file: Path, seed: int) -> Iterator[Example]:
    """Every turn of the file's dialogues, TIMES over. Raises UsherError naming the line that is broken or is not about
    this catalog.
    """
    chance, frames = random.Random(seed), read_frames()
    dialogues = list(_read(catalog, file))
    for time in range(TIMES):
        for dialogue in dialogues:
            session = dialogue.begin()
            for place, turn in enumerate(dialogue.turns, start=1):
                plan = turn.plan.text()
                text = noisy(turn.text, plan, frames, chance) if time else turn.text
                messages = planner_messages(catalog.manifest, planner_context(catalog, session, text))
                name = f"written-{dialogue.id}-{place}-{time + 1}"
                yield Example(role="planner", id=name, kind="written", messages=messages, answer=plan)
                remember(catalog, session, turn)


def _read(catalog: Catalog, file: Path) -> Iterator[Dialogue]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsherError(f"{file}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        try:
            dialogue = Dialogue.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise UsherError(f"{file}: line {number}: {where}: {first['msg']}") from error
        if wrong := problem(dialogue, catalog):
            raise UsherError(f"{file}: line {number}: {wrong}")
        yield dialogue
