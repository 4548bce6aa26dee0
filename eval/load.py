"""`usher eval bench --load`: many people at once against a running server, and whether each got only their own.

Everyone has a session, a user name and a token of their own, which stands in each of their messages. A reply or a state
with somebody else's token in it is a crossed session; an answered turn that the state does not hold is a lost one.
"""

import asyncio
import json
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import httpx
import numpy as np
from tqdm import tqdm

from eval.bench import machine
from tools.errors import UsherError

WISHES = (
    "something light for tonight",
    "something older",
    "hello there",
    "a well known one",
    "what do people like most?",
    "something short",
    "something like the first one",
    "surprise me",
)
TOKEN = re.compile(r"tok[0-9a-f]{16}")
TIMEOUT = 120.0  # seconds a client waits for an answer
LONGEST_WAIT = 5.0  # seconds a refused client waits at most, whatever it was told
CONVERSATION = 20  # turns after which a user begins a new conversation
PROMPT_MS = 50.0  # in which a refusal should come
SAMPLES = 720  # readings of the server's memory in a run, none closer to the last than SAMPLE
SAMPLE = 2.0  # seconds
RESIDENT = "process_resident_memory_bytes"
MB = 1e6


@dataclass
class Tally:
    """What all users saw; times in milliseconds, memory in bytes at seconds since the start."""

    turns: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    crossed: int = 0
    lost: int = 0
    checked: int = 0


def run_load(url: str, users: int, seconds: float, out: Path, key: str = "", pause: float = 0.0) -> None:
    """Print the table and write results.json to `out`; samples.csv grows beside it, so that a stopped run leaves what
    it saw. `pause` is what a user takes to read an answer, in seconds.

    Raises UsherError when the server is not ready, and, after the table, when sessions crossed or turns were lost.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    trust = httpx.create_ssl_context()  # one for all: each takes its 20 ms
    out.mkdir(parents=True, exist_ok=True)

    def connect() -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT, verify=trust)

    async def run() -> dict[str, Any]:
        with (out / "samples.csv").open("w", encoding="utf-8") as samples:
            return await measure(connect, users, seconds, pause, samples)

    results = {"date": date.today().isoformat(), "machine": machine(), "url": url, **asyncio.run(run())}
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    print("\n".join(_table(results)))
    sessions = results["sessions"]
    if sessions["crossed"] or sessions["lost"]:
        raise UsherError(
            f"{url}: {sessions['crossed']} answers or states held what is another session's, and {sessions['lost']}"
            f" acknowledged turns or likes were lost; see {out / 'results.json'}"
        )


async def measure(
    connect: Callable[[], httpx.AsyncClient],
    users: int,
    seconds: float,
    pause: float = 0.0,
    samples: TextIO | None = None,
) -> dict[str, Any]:
    """All users at once for so many seconds; turns that run at the end are waited for. Raises UsherError.

    Everyone has a client of their own: 64 users of one pool take 19 ms of processor time a request, their own 1.4.
    """
    async with AsyncExitStack() as clients:
        watcher, *own = [await clients.enter_async_context(connect()) for _ in range(users + 1)]
        await _check_ready(watcher)
        tally = Tally()
        people = [User(client, tally, pause) for client in own]
        started = time.monotonic()
        until = started + seconds
        watching = asyncio.create_task(_watch(watcher, tally, started, seconds, samples))
        await asyncio.gather(*(person.talk(until) for person in people))
        elapsed = time.monotonic() - started
        watching.cancel()
        await _read_memory(watcher, tally, elapsed)
        for person in people:
            await person.check_state()
    return {
        "users": users,
        "pause": pause,
        "seconds": round(elapsed, 1),
        "turns": _spread(tally.turns) | {"per_second": round(len(tally.turns) / elapsed, 2)},
        "refusals": _spread(tally.refusals) | {"prompt": sum(ms < PROMPT_MS for ms in tally.refusals)},
        "errors": dict(tally.errors.most_common()),
        "sessions": {"users": users, "turns": tally.checked, "crossed": tally.crossed, "lost": tally.lost},
        "memory": _growth(tally.memory),
    }


class User:
    """One person: asks, reads the answer, waits when refused, likes an item now and then."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally, pause: float) -> None:
        self._client, self._tally, self._pause = client, tally, pause
        self._token = f"tok{secrets.token_hex(8)}"
        self._answered: list[str] = []
        self._tried, self._liked = set[str](), set[str]()  # a like that timed out may have been kept

    async def talk(self, until: float) -> None:
        """One turn after another until the time is up."""
        step = int(self._token[3:], 16)  # so that not all begin with the same wish
        while True:
            wait = await self._turn(f"{WISHES[step % len(WISHES)]} ({self._token}-{step})")
            step += wait == 0.0
            pause = (min(wait, LONGEST_WAIT) or self._pause) * random.uniform(0.5, 1.5)  # nobody comes in step
            if time.monotonic() + pause >= until:
                return
            await asyncio.sleep(pause)

    async def check_state(self) -> None:
        """What the server holds about this person is theirs and complete; then it is erased."""
        answer = await self._call("GET", f"/v1/users/{self._token}/export")
        if answer is None:
            return
        held = answer.json()
        said = {turn["user"] for session in held["sessions"] for turn in session["turns"]}
        liked = {entry["item_id"] for entry in held["feedback"]}
        self._look(answer.text)
        self._tally.checked += len(self._answered)
        self._tally.lost += len(set(self._answered) - said) + len(self._liked - liked)
        self._tally.crossed += bool(liked - self._tried)
        await self._call("DELETE", f"/v1/users/{self._token}/profile")

    async def _turn(self, text: str) -> float:
        """Seconds to wait before the next try; 0 when it was answered."""
        session = f"{self._token}-{len(self._answered) // CONVERSATION}"
        body = {
            "model": "usher",
            "session_id": session,
            "user": self._token,
            "messages": [{"role": "user", "content": text}],
        }
        started = time.perf_counter()
        answer = await self._call("POST", "/v1/chat/completions", body)
        if answer is None:
            return 1.0
        took = (time.perf_counter() - started) * 1000
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._tally.refusals.append(took)
            return max(0.1, float(answer.headers.get("retry-after", 1)))
        self._tally.turns.append(took)
        self._answered.append(text)
        self._look(answer.text)
        items = answer.json()["usher"]["items"]
        if items and len(self._answered) % 4 == 1:
            await self._like(session, str(items[0]["item_id"]))
        return 0.0

    async def _like(self, session: str, item: str) -> None:
        body = {"user": self._token, "session_id": session, "item_id": item, "feedback": "like"}
        self._tried.add(item)
        if await self._call("POST", "/v1/feedback", body) is not None:
            self._liked.add(item)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response | None:
        """The answer when it is one, or a refusal of a chat; anything else is counted, and None."""
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self._tally.errors[type(error).__name__] += 1
            return None
        busy = answer.status_code == httpx.codes.TOO_MANY_REQUESTS and path.endswith("/completions")
        if answer.is_success or busy:
            return answer
        self._tally.errors[f"{answer.status_code} {_code(answer)} {method} {path.split('/')[2]}"] += 1
        return None

    def _look(self, text: str) -> None:
        self._tally.crossed += bool(set(TOKEN.findall(text)) - {self._token})


async def _check_ready(client: httpx.AsyncClient) -> None:
    try:
        answer = await client.get("/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UsherError(f"{client.base_url}: cannot be reached ({error}); start it with: usher chat") from error
    if not answer.is_success:
        raise UsherError(f"{client.base_url}: is not ready ({answer.text[:200]}); wait for /readyz")


async def _watch(
    client: httpx.AsyncClient, tally: Tally, started: float, seconds: float, samples: TextIO | None
) -> None:
    """A bar with the counts so far, and the server's memory, until cancelled; a line of `samples` for each reading."""
    if samples is not None:
        print("seconds,turns,refused,errors,memory_bytes", file=samples)
    with tqdm(total=round(seconds), desc="load", unit="s") as progress:
        while True:
            elapsed = time.monotonic() - started
            await _read_memory(client, tally, elapsed)
            progress.update(min(round(elapsed), round(seconds)) - progress.n)
            counts = len(tally.turns), len(tally.refusals), sum(tally.errors.values())
            progress.set_postfix(dict(zip(("turns", "refused", "errors"), counts, strict=True)))
            if samples is not None:
                memory = f"{tally.memory[-1][1]:.0f}" if tally.memory else ""
                print(f"{elapsed:.1f}", *counts, memory, sep=",", file=samples, flush=True)
            await asyncio.sleep(max(SAMPLE, seconds / SAMPLES))


async def _read_memory(client: httpx.AsyncClient, tally: Tally, elapsed: float) -> None:
    """Nothing where the metrics do not say it (not on Linux), or may not be read with this key."""
    try:
        answer = await client.get("/metrics")
    except httpx.HTTPError as error:
        tally.errors[f"metrics: {type(error).__name__}"] += 1
        return
    for line in answer.text.splitlines():
        if line.startswith(f"{RESIDENT} "):
            tally.memory.append((elapsed, float(line.split()[1])))


def _growth(readings: Sequence[tuple[float, float]]) -> dict[str, float] | None:
    """Megabytes at the start, at a tenth of the time (caches are filled), at the peak and at the end, and what a line
    fitted to the second half gains in a minute.
    """
    if not readings:
        return None
    times, sizes = np.array(readings).T
    half = times >= times[-1] / 2
    slope = np.polyfit(times[half], sizes[half], 1)[0] * 60 if half.sum() > 2 else 0.0
    warm = sizes[np.searchsorted(times, times[-1] / 10)]
    said = {"start": sizes[0], "warm": warm, "peak": sizes.max(), "end": sizes[-1], "per_minute": slope}
    return {name: round(float(size) / MB, 2) for name, size in said.items()}


def _spread(ms: Sequence[float]) -> dict[str, float]:
    if not ms:
        return {"n": 0}
    median, p95, p99 = (round(float(value), 1) for value in np.percentile(ms, [50, 95, 99]))
    return {"n": len(ms), "median_ms": median, "p95_ms": p95, "p99_ms": p99, "max_ms": round(max(ms), 1)}


def _code(answer: httpx.Response) -> str:
    """The error's code as the OpenAI format has it."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return "no error body"


def _table(results: dict[str, Any]) -> Iterator[str]:
    yield f"{results['date']}  {results['machine']}  {results['url']}"
    yield f"{results['users']} users for {results['seconds']:.0f} s\n"
    yield f"{'':<10}{'count':>8}{'median ms':>11}{'p95':>9}{'p99':>9}{'longest':>9}"
    for name in ("turns", "refusals"):
        spread = results[name]
        times = "".join(
            f"{spread.get(key, float('nan')):>{width}.0f}"
            for key, width in (("median_ms", 11), ("p95_ms", 9), ("p99_ms", 9), ("max_ms", 9))
        )
        yield f"{name:<10}{spread['n']:>8}{times if spread['n'] else ''}"
    refusals = results["refusals"]
    if refusals["n"]:
        yield f"{refusals['prompt']} of {refusals['n']} refusals came within {PROMPT_MS:.0f} ms"
    yield f"\n{results['turns']['per_second']:.2f} turns a second"
    errors = ", ".join(f"{count} x {kind}" for kind, count in results["errors"].items())
    yield f"errors: {errors or 'none'}"
    sessions, memory = results["sessions"], results["memory"]
    yield f"sessions: {sessions['turns']} turns checked, {sessions['crossed']} crossed, {sessions['lost']} lost"
    if memory is not None:
        yield (
            f"memory: {memory['start']:.0f} MB at the start, {memory['warm']:.0f} warm, {memory['end']:.0f} at the end,"
            f" {memory['peak']:.0f} at most; {memory['per_minute']:+.2f} MB a minute in the second half"
        )
