"""`usher finetune card`: a model card (Mitchell et al. 2019) made from an adapter's own files and what was measured."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.llm import Role
from agent.models import IDENTITY, Identity, adapter_path
from agent.settings import Settings
from finetune.card_tables import AnyResults, WriterResults, read_results, table
from finetune.train import TrainConfig, read_config
from tools.errors import UsherError

TEXTS = Path(__file__).parent / "data" / "card.yaml"
CURVES = "curves.png"
LIMITS = "limits.md"
SAMPLES = "samples.md"
M = TypeVar("M", bound=BaseModel)


class Training(Identity):
    """The adapter's usher.json as training writes it."""

    seed: int
    examples: int
    steps: int
    data: str
    data_sha256: str
    start: "Training | None" = None  # the adapter that it went on from


class Lora(BaseModel):
    """What a card needs of peft's adapter_config.json."""

    r: int
    lora_alpha: int


class BaseTerms(BaseModel):
    """What a base is called where it comes from, and its licence."""

    name: str
    licence: str


class Texts(BaseModel):
    """card.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: dict[Role, str]
    data: dict[Role, str]
    sources: dict[Role, list[str]]
    terms: dict[str, str]
    bases: dict[str, BaseTerms]

    def base(self, file: str) -> BaseTerms:
        """What is known of a base by its file; its name alone where it is another than those this project knows."""
        found = next((terms for start, terms in self.bases.items() if file.startswith(start)), None)
        return found or BaseTerms(name=file, licence="see its own card")


@dataclass(frozen=True)
class Sources:
    """What a card is made from beside the adapter's folder; `made` is the command that made the data."""

    results: tuple[Path, ...] = ()
    config: Path | None = None
    limits: Path | None = None
    made: str = ""


def write_card(role: Role, settings: Settings, sources: Sources) -> Path:
    """The file it wrote: README.md beside the adapter.

    Raises UsherError where there is no adapter, its files or a results.json do not hold what a card needs, results are
    another role's, or the config is not that of this adapter.
    """
    folder = adapter_path(settings, role)
    if folder is None:
        raise UsherError(
            f"{settings.adapters / role}: no adapter here; train it with: usher finetune train --role {role}"
        )
    training, config = _parsed(folder / IDENTITY, Training), read_config(role, sources.config)
    lora = _parsed(folder / "adapter_config.json", Lora)
    if (lora.r, lora.lora_alpha) != (config.r, config.alpha):
        raise UsherError(
            f"{folder}: has rank {lora.r} and alpha {lora.lora_alpha}, and the config {config.r} and {config.alpha}; "
            "name the one it was trained by with --config"
        )
    found = [(file, read_results(file)) for file in sources.results]
    for file, results in found:
        if results.role != role:
            raise UsherError(f"{file}: is about the role {results.role}, and the card about {role}")
    texts = Texts.model_validate(yaml.safe_load(TEXTS.read_text(encoding="utf-8")))
    sections = [
        _head(role, texts.base(training.base)),
        _what(role, folder, training, config, texts),
        _data(role, training, config, texts, sources.made),
        _how(role, folder, training, config, sources.config),
        *(_measured(found) if found else ()),
        _limits(role, training, sources.limits or folder / LIMITS, sources.limits is not None),
        _licence(texts.base(training.base)),
    ]
    card = folder / "README.md"
    card.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return card


def _parsed(file: Path, model: type[M]) -> M:
    try:
        return model.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsherError(f"{file}: cannot be read ({error.strerror}); training writes it") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsherError(f"{file}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def _head(role: Role, base: BaseTerms) -> str:
    """What model hubs read."""
    about = {"base_model": base.name, "library_name": "peft", "license": "apache-2.0", "tags": ["lora", "usher", role]}
    return f"---\n{yaml.safe_dump(about)}---\n\n# Usher: the {role}'s adapter"


def _what(role: Role, folder: Path, training: Training, config: TrainConfig, texts: Texts) -> str:
    weights = folder / "adapter_model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    facts = {
        "role": role,
        "base": f"{texts.base(training.base).name}, `{training.base}`",
        "base's SHA-256": f"`{training.base_sha256}`" if training.base_sha256 else "",
        "prompt version": f"`{training.prompt_version}`",
        "LoRA": f"rank {config.r}, alpha {config.alpha}, on {', '.join(config.targets)}",
        "weights": f"bf16, {weights.stat().st_size / 1e6:.1f} MB, SHA-256 `{digest}`",
    }
    return "\n\n".join(["## What it is", texts.what[role].strip(), _facts(facts)])


def _data(role: Role, training: Training, config: TrainConfig, texts: Texts, made: str) -> str:
    facts = {
        "file": f"`{training.data}`",
        "SHA-256": f"`{training.data_sha256}`",
        "examples trained on": str(training.examples),
        "kept for the held-out loss": str(config.held_out),
        "made by": f"`{made}`" if made else "",
    }
    terms = "\n".join(f"- {texts.terms[name].strip()}" for name in texts.sources[role])
    close = "Sources and their terms in full: `DATA.md` of the project."
    return "\n\n".join(["## Data", texts.data[role].strip(), _facts(facts), terms, close])


def _how(role: Role, folder: Path, training: Training, config: TrainConfig, given: Path | None) -> str:
    """Every number of the config as it stands in its file, with the steps that came of it."""
    command = f"usher finetune train --role {role} --data {training.data}"
    numbers: Mapping[str, Any] = config.model_dump(mode="json") | {"steps": training.steps, "seed": training.seed}
    shown = {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in numbers.items()}
    command += f" --config {given.name}" if given else ""
    lines = ["## Training", f"`{command}{' --start FOLDER' if training.start else ''}`", _facts(shown)]
    if before := training.start:
        lines.append(
            f"It went on from an adapter of {before.steps} steps over {before.examples} examples of `{before.data}` "
            f"(seed {before.seed}, SHA-256 `{before.data_sha256}`, prompt version `{before.prompt_version}`)."
        )
    if (folder / CURVES).is_file():
        lines.append(f"![Loss by step, on the examples of training and on held-out ones]({CURVES})")
    return "\n\n".join(lines)


def _measured(found: list[tuple[Path, AnyResults]]) -> Iterator[str]:
    yield "## Measured"
    for file, results in found:
        yield f"`{results.command}`, {results.date}: {results.about()}"
        yield from results.body()
        if isinstance(results, WriterResults):
            yield "### Samples, unpicked"
            yield _read(file.with_name(SAMPLES), f"it is written beside {file.name} by usher eval writer")


def _limits(role: Role, training: Training, file: Path, wanted: bool) -> str:
    always = (
        f"It reads version `{training.prompt_version}` of the {role}'s prompt and goes with one base; Usher refuses it "
        "with any other."
    )
    own = [_read(file, "--limits wants a text file")] if wanted or file.is_file() else []
    return "\n\n".join(["## Limits", always, *own])


def _licence(base: BaseTerms) -> str:
    return f"## Licence\n\nThe adapter: Apache-2.0. The base, {base.name}: {base.licence}. The data: see above."


def _facts(facts: Mapping[str, str]) -> str:
    return table("", {"": {name: value for name, value in facts.items() if value}})


def _read(file: Path, mend: str) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsherError(f"{file}: cannot be read; {mend}") from error
