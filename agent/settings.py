"""Every setting, in one object: from arguments, then the environment (USHER_*), then these defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The environment names are these with USHER_ in front: USHER_LLM_URL, USHER_CATALOG, ..."""

    model_config = SettingsConfigDict(env_prefix="USHER_", frozen=True, extra="ignore")

    catalog: Path = Field(default=Path("catalog"), description="folder of a built catalog")
    engine: Literal["openvino", "transformers"] = Field(
        default="openvino", description="what runs the model in process"
    )
    model: str = Field(
        default="smollm2-135m-instruct",
        description="the packaged model, a GGUF file, a folder, or a name on a model hub",
    )
    llm_url: str = Field(
        default="", description="an OpenAI-compatible server, e.g. http://localhost:8000/v1; replaces the engine"
    )
    llm_model: str = Field(default="", description="the model's name on that server; the first it lists when empty")
    llm_key: str = Field(default="", description="the server's API key", repr=False)
    adapters: Path = Field(
        default=Path(__file__).parent.parent / "finetune" / "adapters",
        description="folder with one trained adapter a role",
    )
    cache: Path = Field(default=Path.home() / ".cache" / "usher", description="converted and merged models")
    threads: int = Field(default=0, ge=0, description="threads of the in-process model; 0: the library's choice")
    shown: int = Field(default=5, ge=1, le=20, description="items a turn shows when the person names no number")
    candidates: int = Field(default=20, ge=1, le=20, description="items the ranker reads; its letters go from A to T")
    diversity: float = Field(
        default=0.2, ge=0.0, le=1.0, description="0: by score alone; 1: as unlike one another as can be"
    )
