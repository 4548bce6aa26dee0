"""Every setting, in one object: from arguments, then the environment (USHER_*), then these defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SHIPPED = Path(__file__).parent.parent / "finetune" / "adapters"


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
        default=SHIPPED, description="folder with one trained adapter a role; Usher's own go with its own model alone"
    )
    cache: Path = Field(default=Path.home() / ".cache" / "usher", description="converted and merged models")
    threads: int = Field(default=0, ge=0, description="threads of the in-process model; 0: the library's choice")
    shown: int = Field(default=5, ge=1, le=20, description="items a turn shows when the person names no number")
    candidates: int = Field(default=20, ge=1, le=20, description="items the ranker reads; its letters go from A to T")
    diversity: float = Field(
        default=0.2, ge=0.0, le=1.0, description="0: by score alone; 1: as unlike one another as can be"
    )
    state: str = Field(
        default=str(Path.home() / ".local" / "share" / "usher" / "state.db"),
        description="where conversations, profiles, feedback and keys are kept: an SQLite file, or postgresql://..",
        repr=False,  # a PostgreSQL URL holds a password
    )
    turns_at_once: int = Field(
        default=0, ge=0, description="turns that run side by side; 0: two in process, 32 on a server"
    )
    waiting: int = Field(default=16, ge=0, description="turns that wait for their place; the next is refused with 429")
    deadline: float = Field(default=60.0, gt=0, description="seconds a turn may take, waiting included")
    message_limit: int = Field(default=2000, ge=1, description="characters of one message")
    history_limit: int = Field(default=200, ge=1, description="messages of one conversation")
    body_limit: int = Field(default=1 << 20, ge=1, description="bytes of one request's body")
    rate: float = Field(default=120.0, gt=0, description="requests a minute that one API key may make")
    otlp: str = Field(default="", description="an OpenTelemetry collector (OTLP over HTTP) that gets the spans")
