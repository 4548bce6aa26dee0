"""The examples of the README's section on serving, run as they stand against a server at their address."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import ROOT, program

pytestmark = pytest.mark.enable_socket
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## Serve it\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", SECTION, flags=re.DOTALL)
PORT = 7860


@pytest.fixture(scope="module")
def home(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the catalog, a curl that fails where the server refuses, and an `usher` with the tests' engine."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "catalog").symlink_to(tiny_folder)
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    usher = folder / "usher"
    state = folder / "state.db"
    usher.write_text(
        f"#!/bin/sh\ncatalog=$(realpath $3)\ncd {ROOT}\n"
        f"exec {sys.executable} -m tests.server --state {state} --stdio --catalog $catalog\n"
    )
    usher.chmod(0o755)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"something answers on port {PORT} already")
    with program(tiny_folder, str(state), "--port", str(PORT)):
        yield folder


def test_there_is_an_example_for_each_kind_of_client() -> None:
    text = "".join(code for _, code in EXAMPLES)
    assert all(
        name in text for name in ("curl ", "from openai import", "from mcp import", "stdio_client", "stream=True")
    )


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_an_example_of_the_readme_runs_as_it_stands(home: Path, language: str, code: str) -> None:
    command = [sys.executable, "-c", code] if language == "python" else [shutil.which("bash") or "bash", "-ec", code]
    environment = os.environ | {"HOME": str(home), "PATH": f"{home}:{os.environ['PATH']}"}
    ran = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert ran.stdout.strip()
