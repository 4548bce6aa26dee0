"""A folder replaced as a whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import CatalogError


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A temporary sibling of `out` that takes its place when the block ends, or is gone when that raises.

    What builds that were killed left behind is cleaned up first. Raises CatalogError when another build is at work.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _clean(out)
    folder = out.parent / f".{out.name}.building-{os.getpid()}"
    folder.mkdir()
    try:
        with _lock(folder):
            yield folder
            _swap(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _aside(out: Path) -> Path:
    return out.parent / f".{out.name}.old"


def _swap(folder: Path, out: Path) -> None:
    # A kill between the two renames leaves the old folder aside, and the next _clean brings it back.
    if out.exists():
        out.rename(_aside(out))
    folder.rename(out)
    shutil.rmtree(_aside(out), ignore_errors=True)


def _clean(out: Path) -> None:
    for left in [path for path in out.parent.iterdir() if path.name.startswith(f".{out.name}.building-")]:
        with _lock(left) as free:
            if not free:
                raise CatalogError(f"{out}: another build is writing it; wait for it to end")
            shutil.rmtree(left)
    if _aside(out).is_dir():
        if out.exists():
            shutil.rmtree(_aside(out))
        else:
            _aside(out).rename(out)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether the folder's lock could be had. Who builds holds it, and the system frees it when the process ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
