"""`usher eval fuzz`: hostile conditions and arguments, straight through the tools and over HTTP.

Whatever comes, the answer is a result or a ToolError, and comes soon; what runs is SQL of the white list's own making
over the columns of the catalog, read back here by rules of its own; no file is read, written or changed; over HTTP no
answer is a 5xx.
"""

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import sqlglot
from sqlglot import exp
from tqdm import tqdm

from agent.settings import Settings
from eval.hostile import SECRET, WEIGHTS, Hostile
from tools.catalog import Catalog
from tools.errors import ToolError, UsherError
from tools.registry import call, describe
from tools.schema import Manifest
from tools.where import Where, parse_where
from tools.whitelist import FIXED

NODES = (
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like),
    *(exp.Is, exp.Null, exp.Boolean, exp.Column, exp.Identifier, exp.Placeholder, exp.Literal, exp.Lower),
    *(exp.ArrayContains, exp.Coalesce, exp.Length, exp.Lambda, exp.Transform, exp.Anonymous),
)
FUNCTIONS = frozenset({"strip_accents", "list_bool_or"})
REASONS = (  # what a refusal says, by which refusals are counted
    *("is not allowed", "no column", "has no value", "does not parse", "a quote is not closed", "too deeply"),
    *("is empty", "characters", "conditions; at most", "is not a ", "is not TRUE", "is no value", "is no column"),
    *(
        "no condition",
        "compares no column",
        "has no order",
        "LIKE compares",
        "it takes:",
        "no item",
        "no tool",
        "empty list",
    ),
)
LEAKS = ("Traceback", "site-packages", '.py"', SECRET)
TIMEOUT = 30.0  # seconds for one request
LONGEST = 10.0  # seconds of processor time, which no other program's work adds to, that one call may take


@dataclass
class Found:
    """How many ran and were refused (by reason), and every breach with what led to it."""

    ran: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds of processor time
    breaches: list[str] = field(default_factory=list)


def run_fuzz(catalog: Path | None, count: int, seed: int, url: str, sample: int, out: Path) -> None:
    """Print the counts and write results.json to `out`; with a `url`, one in `sample` goes over HTTP, too.

    Raises UsherError after the counts when there was a breach.
    """
    settings = Settings() if catalog is None else Settings(catalog=catalog)
    found, started = Found(), time.perf_counter()
    with (
        Catalog.open(settings.catalog) as opened,
        traps(opened) as (secret, canary),
        httpx.Client(base_url=url, timeout=TIMEOUT) as client,
    ):
        if WEIGHTS["dense_search"]:
            opened.dense.embed(["hello"])  # loading the model is no call's time
        hostile = Hostile(Random(seed), opened, secret, canary)
        for step in tqdm(range(count), desc="fuzz", mininterval=2.0):
            name, arguments = hostile.call()
            breach = try_call(opened, name, arguments, found)
            if url and step % sample == 0:
                breach = breach or try_http(client, name, arguments, found)
            if breach:
                found.breaches.append(f"{breach}: {name} {_dump(arguments)[:2000]}")
        if changed := touched(canary):
            found.breaches.append(changed)
    seconds = time.perf_counter() - started
    results = {"calls": count, "seed": seed, "catalog": str(settings.catalog), "seconds": round(seconds, 1), "url": url}
    results |= {name: dict(getattr(found, name).most_common()) for name in ("ran", "refused", "http")}
    results |= {"longest_s": round(found.longest, 3), "breaches": found.breaches}
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    print("\n".join(_table(results)))
    if found.breaches:
        raise UsherError(
            f"{len(found.breaches)} breaches, the first: {found.breaches[0][:300]}; all: {out}/results.json"
        )


@contextmanager
def traps(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """A file that must not be read and one that must not come to be. Raises UsherError when the catalog changed."""
    before = _digest(catalog.folder)
    with tempfile.TemporaryDirectory() as name:
        secret, canary = Path(name) / "secret.csv", Path(name) / "canary"
        secret.write_text(f"{SECRET}\n{SECRET}\n", encoding="utf-8")
        yield str(secret), str(canary)
    if _digest(catalog.folder) != before:
        raise UsherError(f"{catalog.folder}: its files changed while hostile calls ran")


def touched(canary: str) -> str:
    """What stands beside the secret that should not; empty when nothing does."""
    beside = sorted(path.name for path in Path(canary).parent.iterdir() if path.name != "secret.csv")
    return f"a call wrote {', '.join(beside)}" if beside else ""


def try_call(catalog: Catalog, name: str, arguments: dict[str, Any], found: Found) -> str:
    """One call, counted and timed; what was wrong with how it ended, empty when nothing was."""
    started = time.process_time()
    breach = _try_call(catalog, name, arguments, found)
    took = time.process_time() - started
    found.longest = max(found.longest, took)
    return breach or (f"{took:.0f} s of processor time" if took > LONGEST else "")


def _try_call(catalog: Catalog, name: str, arguments: dict[str, Any], found: Found) -> str:
    try:
        result = call(catalog, name, arguments)
        said = _dump(describe(catalog, result))
    except ToolError as refusal:
        message = str(refusal)
        found.refused[next((reason for reason in REASONS if reason in message), "otherwise")] += 1
        return "a refusal of several lines" if "\n" in message else _leak(message)
    except Exception as error:  # noqa: BLE001 - whatever else comes out is what we look for
        return f"{type(error).__name__} instead of a ToolError"
    found.ran[name] += 1
    if (where := arguments.get("where") or "").strip():
        return breach_of(parse_where(where, catalog.manifest), catalog.manifest) or _leak(said)
    return _leak(said)


def breach_of(where: Where, manifest: Manifest) -> str:
    """What in the SQL that runs is beyond the catalog's columns and our own operators; empty when nothing is."""
    columns = {column.name for column in (*FIXED, *manifest.columns)}
    for node in sqlglot.parse_one(where.sql, read="duckdb").walk():
        if not isinstance(node, NODES):
            return f"{type(node).__name__} ran"
        if isinstance(node, exp.Anonymous) and node.name not in FUNCTIONS:
            return f"the function {node.name} ran"
        if isinstance(node, exp.Column) and (node.table or node.name not in columns | {"element"}):
            return f"the column {node.sql()} was read"
        if isinstance(node, exp.Literal) and node.this != "0":
            return "a literal of the text reached DuckDB"
    if parse_where(where.canonical, manifest) != where:
        return "the canonical text means something else"
    return ""


def try_http(client: httpx.Client, name: str, arguments: dict[str, Any], found: Found) -> str:
    """The same call over HTTP."""
    path = quote(name, safe="", errors="replace")
    try:
        answer = client.post(
            f"/v1/tools/{path}", content=_dump(arguments), headers={"Content-Type": "application/json"}
        )
    except httpx.HTTPError as error:
        return f"no answer over HTTP ({type(error).__name__})"
    found.http[str(answer.status_code)] += 1
    if answer.is_server_error:
        return f"{answer.status_code} over HTTP"
    return _leak(answer.text)


def _leak(said: str) -> str:
    return next((f"{leak!r} in an answer" for leak in LEAKS if leak in said), "")


def _dump(data: Any) -> str:
    """JSON in ASCII: half a character can be said in it, as a client may."""
    return json.dumps(data, default=str)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _table(results: dict[str, Any]) -> Iterator[str]:
    yield f"{results['calls']:,} hostile calls in {results['seconds']:.0f} s, seed {results['seed']}"
    for name in ("ran", "refused", "http"):
        counts = results[name]
        listed = ", ".join(f"{kind} {number:,}" for kind, number in counts.items())
        if counts:
            yield f"{name + ':':<9}{sum(counts.values()):>8,}  ({listed})"
    yield f"the longest call took {results['longest_s']:.2f} s of processor time"
    yield f"breaches: {len(results['breaches'])}"
