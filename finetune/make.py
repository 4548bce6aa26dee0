"""`usher finetune data`: one role's examples, written as a file."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from tqdm import tqdm

from agent.llm import Role
from finetune.example import Example, write_examples
from tools.catalog import Catalog


def make_data(role: Role, catalogs: Sequence[Path], count: int, seed: int, out: Path) -> int:
    """How many examples were written. Raises CatalogError, and UsherError for a catalog that lacks what is needed."""
    with ExitStack() as opened:
        held = [opened.enter_context(closing(Catalog.open(folder))) for folder in catalogs]
        return write_examples(out, tqdm(_examples(role, held, count, seed), total=count, desc=f"{role} data"))


def _examples(role: Role, catalogs: Sequence[Catalog], count: int, seed: int) -> Iterator[Example]:
    if role == "planner":
        from finetune.planner_data import planner_examples

        return planner_examples(catalogs, count, seed)
    raise NotImplementedError(role)
