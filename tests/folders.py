"""Folders of files as a person would give them, for the tests of ingest."""

import tempfile
from pathlib import Path

import pytest

from tools.errors import CatalogError
from tools.ingest import folder_source
from tools.source import Source

ITEMS = "item_id,title,size\n1,One,10\n2,Two,20\n3,Three,30\n"


def read(**files: str | bytes) -> Source:
    """A source of a folder with these files, `items_csv` being items.csv."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            stem, _, suffix = file.partition("_")
            path = Path(name) / f"{stem}.{suffix.replace('_', '.')}"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder_source(Path(name))


def problem(**files: str | bytes) -> str:
    """The message of the error that these files give, without the folder."""
    with pytest.raises(CatalogError) as error:
        read(**files)
    message = str(error.value)
    assert "\n" not in message
    path, _, rest = message.partition(": ")
    return f"{Path(path).name}: {rest}"
