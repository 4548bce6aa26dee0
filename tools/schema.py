"""What a built catalog says about itself: the manifest with its schema card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tools.errors import CatalogError

ColumnType = Literal["text", "integer", "number", "boolean", "date"]
FORMAT = 1  # of a catalog folder; raised when an older build can no longer be read


class Column(BaseModel):
    """One column of the table `items`.

    `values` holds the whole vocabulary of an enumerated column (text, short enough to show to a model), most frequent
    first, and is None for free text. `minimum` and `maximum` are the range of a number or a date (ISO 8601 text).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnType
    is_list: bool = False
    values: tuple[str, ...] | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    distinct: int = 0
    missing: int = 0  # rows without a value
    note: str = ""  # unit or meaning, for people and models ("minutes")

    @property
    def sql_type(self) -> str:
        base = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
        return base[self.type] + ("[]" if self.is_list else "")


class Manifest(BaseModel):
    """manifest.json of a catalog folder. `item_id` and `title` are always there and are not listed in `columns`."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    name: str
    noun: str = "item"  # what one item is called in a sentence: film, book
    source: str
    licence: str = ""
    rows: int
    interactions: int = 0
    users: int = 0
    columns: tuple[Column, ...]
    described: int = 0  # items whose document says more than their short columns do (facts, descriptions)
    parts: dict[str, str]  # build part -> hash of its inputs, so that a second build reuses what is unchanged
    build_hash: str

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    def enumerated(self) -> Iterator[Column]:
        return (column for column in self.columns if column.values is not None)

    @staticmethod
    def read(folder: Path) -> "Manifest":
        """Raises CatalogError when the folder holds no catalog this version can read."""
        path = folder / "manifest.json"
        if not path.is_file():
            raise CatalogError(
                f"{folder}: no catalog here; build one with: usher catalog build movielens --out {folder}"
            )
        try:
            manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CatalogError(
                f"{path}: not a manifest ({str(error).splitlines()[0]}); build the catalog again"
            ) from error
        if manifest.format != FORMAT:
            raise CatalogError(
                f"{path}: format {manifest.format}, this version reads {FORMAT}; build the catalog again"
            )
        return manifest
