"""What the tests share: a small catalog, built from tests/tiny through the real ingest and build."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tools.build import build
from tools.catalog import Catalog
from tools.ingest import folder_source

TINY = Path(__file__).parent / "tiny"


def pytest_configure() -> None:
    """No example has a time limit: how long it takes says more of the machine than of the code."""
    settings.register_profile("usher", deadline=None)
    settings.load_profile("usher")


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
