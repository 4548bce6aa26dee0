"""`usher finetune data`: one role's examples, written as a file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from agent.llm import Role
from finetune.example import Example, write_examples
from tools.catalog import Catalog
from tools.errors import UsherError

WORDY = 4  # words from which a held-out message is kept out of training; "more please" is what anybody says


@dataclass(frozen=True)
class Sources:
    """What examples are made from: a seed, and for the planner real messages, hand-written dialogues about the first
    catalog, and dialogues it is never trained on.
    """

    seed: int
    redial: Path | None = None
    apart: Path | None = None
    written: Path | None = None


def make_data(role: Role, catalogs: Sequence[Path], count: int, sources: Sources, out: Path) -> int:
    """How many examples were written. Raises CatalogError, and UsherError for a catalog that lacks what is needed."""
    with ExitStack() as opened:
        held = [opened.enter_context(closing(Catalog.open(folder))) for folder in catalogs]
        return write_examples(out, tqdm(_examples(role, held, count, sources), total=count, desc=f"{role} data"))


def _examples(role: Role, catalogs: Sequence[Catalog], count: int, sources: Sources) -> Iterator[Example]:
    if role == "planner":
        from finetune.planner_data import planner_examples, real_examples
        from finetune.written import written_examples

        real = [] if sources.redial is None else list(real_examples(catalogs[0], sources.redial, sources.seed))
        if sources.written is not None:
            real = [*written_examples(catalogs[0], sources.written, sources.seed), *real]
        yield from real[:count]
        apart = frozenset[str]() if sources.apart is None else read_apart(sources.apart)
        yield from planner_examples(catalogs, max(0, count - len(real)), sources.seed, apart)
    elif role == "ranker":
        from finetune.ranker_data import ranker_examples

        yield from ranker_examples(catalogs[0], sources.seed, count, redial=sources.redial)
    elif role == "writer":
        from finetune.writer_data import writer_examples

        yield from writer_examples(catalogs[0], sources.seed, count)
    else:
        from finetune.user_data import user_examples

        yield from user_examples(catalogs[0], sources.seed, count)


def read_apart(file: Path) -> frozenset[str]:
    """The whole sentences of held-out dialogues, as `plain` writes them. Raises UsherError naming the broken line."""
    from finetune.planner_data import plain

    found = set()
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                found |= {plain(turn["text"]) for turn in json.loads(line)["turns"]}
            except (ValueError, KeyError, TypeError) as error:
                raise UsherError(f"{file}: line {number}: no dialogue with turns ({error})") from error
    except OSError as error:
        raise UsherError(f"{file}: cannot be read ({error.strerror})") from error
    return frozenset(text for text in found if len(text.split()) >= WORDY)
