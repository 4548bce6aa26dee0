import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.build import build, document
from tools.catalog import Catalog
from tools.errors import CatalogError
from tools.ingest import folder_source
from tools.replace import replacing
from tools.schema import Column, Manifest
from tools.scorer import Query
from tools.source import Source

ITEMS = "id,title,colour\n10,Ten,red\n9,Nine,blue\n7,Seven,red\n8,Eight,green\n"
INTERACTIONS = "user_id,id,rating\nb,7,4\na,7,5\na,10,5\nc,7,1\n"
ROOT = Path(__file__).parents[1]

# What a build in a process of its own does: the folder of the source, `out` and what happens at a step.
BUILD = """
import os, resource, signal, sys
from pathlib import Path
from tools.build import build
from tools.errors import CatalogError
from tools.ingest import folder_source

source, out, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if how == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

def report(step):
    if how == "kill" and step == "dense: building":
        os.kill(os.getpid(), signal.SIGKILL)

try:
    build(folder_source(source), out, report)
except CatalogError as error:
    sys.exit(str(error))
"""


def source_of(folder: Path, items: str = ITEMS, interactions: str | None = INTERACTIONS) -> Source:
    folder.mkdir(exist_ok=True)
    (folder / "items.csv").write_text(items)
    (folder / "interactions.csv").unlink(missing_ok=True)
    if interactions:
        (folder / "interactions.csv").write_text(interactions)
    return folder_source(folder)


def build_apart(source: Path, out: Path, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BUILD, str(source), str(out), how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(tmp_path / "given")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "catalogs" / "out"


def beside(out: Path) -> list[str]:
    """What is in the folder that `out` is in."""
    return sorted(path.name for path in out.parent.iterdir())


def test_rows_are_in_the_order_of_popularity_then_of_ids(source: Source, out: Path) -> None:
    manifest = build(source, out)
    assert beside(out) == ["out"]
    assert manifest == Manifest.read(out)
    assert (manifest.rows, manifest.interactions, manifest.users, manifest.described) == (4, 4, 3, 0)
    with Catalog.open(out) as catalog:
        assert catalog.ids.tolist() == ["7", "10", "8", "9"]
        assert catalog.titles.tolist() == ["Seven", "Ten", "Eight", "Nine"]
        assert catalog.popularity.tolist() == [3, 1, 0, 0]
        assert catalog.document(2) == "Eight. Colour: green."
        assert np.nanargmax(catalog.bm25.score(Query(text="green"))) == 2
        assert np.nanargmax(catalog.dense.score(Query(text="the number nine"))) == 3
        assert catalog.cf is not None
        assert catalog.cf.knows("b")


def test_a_catalog_without_interactions_has_no_cf(tmp_path: Path, out: Path) -> None:
    build(source_of(tmp_path / "given", interactions=None), out)
    with Catalog.open(out) as catalog:
        assert catalog.cf is None
        assert catalog.ids.tolist() == ["7", "8", "9", "10"]
        assert not catalog.popularity.any()


def steps(source: Source, out: Path) -> dict[str, str]:
    """What a build said of each part."""
    said: list[str] = []
    build(source, out, said.append)
    return dict(step.split(": ") for step in said)


def test_a_second_build_reuses_what_is_unchanged(tmp_path: Path, source: Source, out: Path) -> None:
    assert set(steps(source, out).values()) == {"building"}
    first = Manifest.read(out)
    vectors = (out / "dense" / "vectors.npy").stat().st_ino
    assert set(steps(source, out).values()) == {"reused"}
    assert Manifest.read(out) == first
    assert (out / "dense" / "vectors.npy").stat().st_ino == vectors

    rated = source_of(tmp_path / "given", interactions=INTERACTIONS.replace("c,7,1", "c,7,5"))
    assert steps(rated, out) == {"items": "building", "bm25": "reused", "dense": "reused", "cf": "building"}
    renamed = source_of(tmp_path / "given", items=ITEMS.replace("Nine", "Neuf"))
    assert steps(renamed, out) == {"items": "building", "bm25": "building", "dense": "building", "cf": "building"}
    assert Manifest.read(out).build_hash != first.build_hash
    with Catalog.open(out) as catalog:
        assert "Neuf" in catalog.titles
    assert beside(out) == ["out"]


def test_a_missing_part_is_built_again(source: Source, out: Path) -> None:
    build(source, out)
    (out / "catalog.duckdb").unlink()
    assert steps(source, out)["items"] == "building"


def test_a_build_that_is_stopped_leaves_the_old_catalog(tmp_path: Path, source: Source, out: Path) -> None:
    def stop(step: str) -> None:
        if step == "dense: building":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(source, out, stop)
    assert beside(out) == []
    build(source, out)
    before = Manifest.read(out)
    with pytest.raises(KeyboardInterrupt):
        build(source_of(tmp_path / "given", ITEMS.replace("Nine", "Neuf")), out, stop)
    assert beside(out) == ["out"]
    assert Manifest.read(out) == before


def test_a_killed_build_leaves_no_half_catalog(tmp_path: Path, source: Source, out: Path) -> None:
    killed = build_apart(tmp_path / "given", out, "kill")
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert [name.startswith(".out.building-") for name in beside(out)] == [True]
    build(source, out)
    assert beside(out) == ["out"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, source: Source, out: Path) -> None:
    full = build_apart(tmp_path / "given", out, "full")
    assert full.returncode == 1
    assert full.stderr.strip().splitlines()[-1].startswith(f"{out}: cannot be written: ")
    assert beside(out) == []


def test_a_kill_between_the_renames_is_mended(source: Source, out: Path) -> None:
    build(source, out)
    out.rename(out.parent / ".out.old")
    assert set(steps(source, out).values()) == {"reused"}
    assert beside(out) == ["out"]


def test_two_builds_of_one_catalog_do_not_mix(source: Source, out: Path) -> None:
    with replacing(out), pytest.raises(CatalogError, match="another build is writing it"):
        build(source, out)


def _file(out: Path) -> None:
    out.write_text("mine")


def _folder(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")


@pytest.mark.parametrize(("make", "message"), [(_file, "is a file"), (_folder, "is not empty and not a catalog")])
def test_what_is_not_a_catalog_is_left_alone(
    make: Callable[[Path], None], message: str, source: Source, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    make(out)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(CatalogError, match=message):
        build(source, out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_an_empty_folder_and_an_unreadable_catalog_are_replaced(source: Source, out: Path) -> None:
    out.mkdir(parents=True)
    build(source, out)
    (out / "manifest.json").write_text("{}")
    assert set(steps(source, out).values()) == {"building"}


def test_a_folder_that_cannot_be_written(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match="cannot be written"):
        build(source, tmp_path / "file" / "out")


def test_document() -> None:
    columns = [
        Column(name="plot", type="text"),
        Column(name="shot_in", type="text", is_list=True),
        Column(name="size", type="integer"),
        Column(name="made_by", type="text"),
        Column(name="mood", type="text"),
    ]
    values = {
        "title": "Up",
        "year": 2009,
        "plot": "A house flies!",
        "shot_in": ["A", "B"],
        "size": 3,
        "made_by": "P. D.",
    }
    assert document({**values, "mood": None}, columns, ["plot"]) == (
        "Up (2009). A house flies! Shot in: A, B. Made by: P. D."
    )


def test_the_same_source_gives_the_same_hash(source: Source, tmp_path: Path) -> None:
    first, second = (build(source, tmp_path / "catalogs" / name) for name in ("one", "two"))
    assert first == second
