"""How people say things: the phrase files of finetune/data as typed data.

A domain file says how the columns and values of one kind of catalog are spoken of; frames.yaml holds the sentences
around them. Both are written by hand; finetune/data/README.md says what their keys mean.
"""

from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import UsherError
from tools.schema import ColumnType

Form = Literal["adj", "noun", "post"]


class Said(BaseModel):
    """Ways to say one value: before the noun, instead of it, after it; `not` as whole refusals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adj: list[str] = []
    noun: list[str] = []
    post: list[str] = []
    refusal: list[str] = Field(default=[], alias="not")

    def forms(self) -> list[tuple[Form, str]]:
        return [
            *(("adj", text) for text in self.adj),
            *(("noun", text) for text in self.noun),
            *(("post", text) for text in self.post),
        ]


class Fixed(BaseModel):
    """A phrase after the noun that stands for one bound: "shorter than an hour and a half" is `< 90`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str
    where: str


class ColumnWords(BaseModel):
    """How one column is spoken of. Which fields it has goes by its type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    other_names: list[str] = []
    type: ColumnType
    is_list: bool = Field(default=False, alias="list")
    notes: list[str] = [""]
    said: list[str] = []
    values: dict[str, Said] = {}
    range: tuple[float, float] | None = None
    round: float = 1
    kind: Literal["plain", "year", "rating", "count"] = "plain"
    lt: list[str] = []
    le: list[str] = []
    gt: list[str] = []
    ge: list[str] = []
    eq: list[str] = []
    between: list[str] = []
    around: list[str] = []
    fixed: list[Fixed] = []
    less: list[str] = []
    more: list[str] = []
    lowest: list[str] = []
    highest: list[str] = []
    low: list[str] = []
    high: list[str] = []
    low_post: list[str] = []
    high_post: list[str] = []
    gems: list[str] = []
    gems_adj: list[str] = []
    true: Said = Said()
    false: Said = Said()
    post: list[str] = []
    examples: list[str] = []
    part: bool = False


class Domain(BaseModel):
    """One kind of catalog. `languages` holds whole requests in other languages, where somebody wrote them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: str
    nouns: list[str]
    plurals: list[str]
    rating_people: bool = False
    needs: list[str] = []  # columns without which a catalog cannot be spoken of
    titles: list[str] = []
    title_parts: list[list[str]] = []  # a made-up title has one of each list
    themes: list[str]
    feelings: list[str]
    names: list[str]
    columns: list[ColumnWords]
    languages: dict[str, dict[str, Any]] = {}


def read_domain(name: str) -> Domain:
    """Raises UsherError naming the file and the key that is wrong."""
    source = files("finetune").joinpath(f"data/domains/{name}.yaml")
    try:
        return Domain.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsherError(f"finetune/data/domains/{name}.yaml: {where}: {first['msg']}") from error


def domain_names() -> list[str]:
    folder = files("finetune").joinpath("data/domains")
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def read_frames() -> dict[str, Any]:
    """Lists of sentence frames by key; `slang` is a mapping."""
    loaded: dict[str, Any] = yaml.safe_load(files("finetune").joinpath("data/frames.yaml").read_text(encoding="utf-8"))
    return loaded
