"""What the tests share: a small catalog, built from tests/tiny through the real ingest and build."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.build import build
from tools.catalog import Catalog
from tools.ingest import folder_source

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built catalog's folder; read it only."""
    folder = tmp_path_factory.mktemp("catalogs") / "tiny"
    build(folder_source(TINY), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_catalog(tiny_folder: Path) -> Iterator[Catalog]:
    """40 made-up films of 1949 to 2020 with genres, runtime, director and description, and 336 ratings of 30 people."""
    with Catalog.open(tiny_folder) as catalog:
        yield catalog
