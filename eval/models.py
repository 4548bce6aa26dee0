"""The models that are measured: the trained role, and the base beside it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent.llm import Engine, Role, engine
from agent.settings import SHIPPED, Settings
from tools.errors import UsherError


def models(role: Role, settings: Settings, with_base: bool) -> Iterator[tuple[str, Engine]]:
    """The model as "adapter", or as "base" where the role has none; then, if wanted, the base. One is open at a time.

    Raises UsherError at once when the base is wanted beside a server; when a folder of adapters was named that has none
    for the role; EngineError when a model cannot be opened.
    """
    if with_base and settings.llm_url:
        raise UsherError("--base: the base model is compared in process; unset USHER_LLM_URL")
    return _models(role, settings, with_base)


def _models(role: Role, settings: Settings, with_base: bool) -> Iterator[tuple[str, Engine]]:
    with engine(settings) as model:
        trained = model.trained(role)
        if not trained and not settings.llm_url and settings.adapters != SHIPPED:
            train = f"train it with: usher finetune train --role {role}"
            raise UsherError(f"{settings.adapters}: has no adapter for the role {role}; {train}")
        yield "adapter" if trained else "base", model
    if with_base and trained:
        with (
            tempfile.TemporaryDirectory() as empty,
            engine(settings.model_copy(update={"adapters": Path(empty)})) as model,
        ):
            yield "base", model
