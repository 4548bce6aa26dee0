"""A tool is one typed argument model and two functions; its JSON Schema is derived from the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tools.catalog import Catalog
from tools.errors import ToolError
from tools.literals import clip
from tools.scorer import Mask, Rows
from tools.text import HALF, is_text


class Arguments(BaseModel):
    """Base of every tool's arguments: nothing unknown, nothing coerced, lengths bounded by each field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        if not is_text(data):
            raise ValueError(HALF)
        return data


@dataclass(frozen=True)
class ToolResult:
    """Rows of the catalog, best first, with their scores; `count` is how many matched before any limit.

    `matched` holds every row that met a filter (None for a search); `data` is what is not a ranking: value counts,
    titles that were not found, the signal behind a neighbour.
    """

    rows: Rows
    scores: NDArray[np.float64]
    count: int
    matched: Rows | None = None
    data: dict[str, Any] = field(default_factory=dict)


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """`run` raises ToolError for what the caller can mend. `explain` says in words why rows came back (evidence), for
    each a list; of all at once, since one costs nearly what many cost.
    """

    name: str
    description: str
    arguments: type[A]
    run: Callable[[Catalog, A, Mask | None], ToolResult]
    explain: Callable[[Catalog, A, Sequence[int]], list[list[str]]]

    def parse(self, arguments: dict[str, Any]) -> A:
        """Raises ToolError naming the argument, what is wrong with it, and what the tool takes."""
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = clip(".".join(str(part) for part in first["loc"]) or "arguments")
            takes = ", ".join(self.arguments.model_fields)
            raise ToolError(f"{self.name}: {where}: {first['msg']}; it takes: {takes}") from error

    def schema(self) -> dict[str, Any]:
        """OpenAI function schema."""
        parameters = self.arguments.model_json_schema()
        parameters.pop("title", None)
        parameters.pop("description", None)
        for prop in parameters["properties"].values():
            prop.pop("title", None)
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }
