"""The direction of flow: tools -> agent -> app, eval, finetune; the last three never meet."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"tools", "agent", "prompts", "finetune", "eval", "app"}
MAY_IMPORT = {
    "tools": {"tools"},
    "agent": {"agent", "tools"},
    "app": {"agent", "tools"},
    "eval": {"eval", "agent", "tools"},
    "finetune": {"finetune", "agent", "tools"},
}


def rooms_imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide the direction"
            names.add(node.module or "")
    return {name.split(".")[0] for name in names} & ROOMS


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_comes_before_it(room: str) -> None:
    files = [ROOT / "app.py"] if room == "app" else sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        assert rooms_imported(file) <= MAY_IMPORT[room], file


def test_only_the_catalog_and_what_builds_it_open_duckdb() -> None:
    owners = {
        file.relative_to(ROOT).as_posix()
        for room in ("tools", "agent", "eval", "finetune")
        for file in (ROOT / room).rglob("*.py")
        if "duckdb" in {name.split(".")[0] for name in imported(file)}
    }
    assert all(owner.startswith("tools/") for owner in owners)


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def test_no_file_outgrows_its_room() -> None:
    files = [ROOT / "app.py", *(file for room in ROOMS - {"app"} for file in (ROOT / room).rglob("*.py"))]
    assert not [file for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 400]
