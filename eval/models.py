"""The models that are measured: the trained role, and the base beside it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent.llm import Engine, Role, engine
from agent.settings import Settings
from tools.errors import UsherError


def models(role: Role, settings: Settings, with_base: bool) -> Iterator[tuple[str, Engine]]:
    """The model as "adapter", or as "base" where the role has none; then, if wanted, the base. One is open at a time.

    Raises UsherError at once when the base is wanted beside a server, and EngineError when a model cannot be opened.
    """
    if with_base and settings.llm_url:
        raise UsherError("--base: the base model is compared in process; unset USHER_LLM_URL")
    return _models(role, settings, with_base)


def _models(role: Role, settings: Settings, with_base: bool) -> Iterator[tuple[str, Engine]]:
    with engine(settings) as model:
        trained = model.trained(role)
        yield "adapter" if trained else "base", model
    if with_base and trained:
        with (
            tempfile.TemporaryDirectory() as empty,
            engine(settings.model_copy(update={"adapters": Path(empty)})) as model,
        ):
            yield "base", model
