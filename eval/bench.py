"""`usher eval bench`: the tools and whole turns, timed beside the aims, in one run on one machine."""

import json
import platform
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tqdm import tqdm

from agent.events import Done, Event, Shown, Text
from agent.loop import Agent, run_turn
from agent.memory import Session
from agent.settings import Settings
from tools import registry
from tools.catalog import Catalog

TOOL_AIM_MS = 25.0  # p95 of any tool at nine thousand items
TURN_AIMS_MS = {"items on screen": 800.0, "first words": 900.0, "whole turn": 1300.0}  # medians
TURN_P95_AIM_MS = 2000.0
START_AIM_S = 10.0
MEMORY_AIM_MB = 2000.0


def run_bench(catalog: Path | None, turns: int, calls: int, out: Path) -> None:
    """Print the tables and write results.json to `out`. Raises CatalogError or EngineError."""
    settings = Settings() if catalog is None else Settings(catalog=catalog)
    started = time.perf_counter()
    agent = Agent.open(settings)
    try:
        list(run_turn(agent, Session(), "hello"))
        start = time.perf_counter() - started
        list(run_turn(agent, Session(), _requests(agent.catalog, 1)[0]))
        results = {
            "date": date.today().isoformat(),
            "machine": machine(),
            "python": platform.python_version(),
            "catalog": {"items": len(agent.catalog), "build": agent.catalog.manifest.build_hash[:12]},
            "engine": agent.engine.name,
            "tools": _bench_tools(agent.catalog, calls),
            "turn": _bench_turns(agent, turns),
            "start_s": start,
            "memory_mb": psutil.Process().memory_info().rss / 1e6,
        }
    finally:
        agent.close()
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    _print(results)


def _bench_tools(catalog: Catalog, calls: int) -> dict[str, dict[str, float]]:
    return {name: _bench_tool(catalog, name, arguments, calls) for name, arguments in _tool_calls(catalog).items()}


def _bench_tool(
    catalog: Catalog, name: str, arguments: Callable[[int], dict[str, Any]], calls: int
) -> dict[str, float]:
    registry.call(catalog, name, arguments(0))  # indexes and models load at the first call
    times = []
    for step in tqdm(range(1, calls + 1), desc=name, leave=False):
        started = time.perf_counter()
        registry.call(catalog, name, arguments(step))
        times.append((time.perf_counter() - started) * 1000)
    return _spread(times) | {"aim_p95": TOOL_AIM_MS}


def _tool_calls(catalog: Catalog) -> dict[str, Callable[[int], dict[str, Any]]]:
    """Arguments for each tool by step, from the catalog's own titles, words and columns."""
    titles = [str(title) for title in catalog.titles[:500]]
    column = next((column for column in catalog.manifest.enumerated()), None)
    values = [value.replace("'", "''") for value in (column.values or ())] if column is not None else []
    wheres = [f"{column.name} = '{value}'" for value in values] if column is not None else ["title ILIKE '%a%'"]
    made: dict[str, Callable[[int], dict[str, Any]]] = {
        "sql_filter": lambda step: {"where": wheres[step % len(wheres)]},
        "bm25_search": lambda step: {"query": titles[step % len(titles)]},
        "dense_search": lambda step: {"query": f"a {catalog.manifest.noun} like {titles[step % len(titles)]}"},
        "similar_items": lambda step: {"item_id": str(catalog.ids[step % len(titles)])},
        "title_lookup": lambda step: {"title": titles[step % len(titles)].replace("e", "", 1).lower()},
        "facet_counts": lambda step: {
            "column": column.name if column else "title",
            "where": wheres[step % len(wheres)],
        },
    }
    if catalog.cf is not None:
        made["cf_recommend"] = lambda step: {"liked": [str(catalog.ids[(step + i) % len(titles)]) for i in range(3)]}
    return made


def _bench_turns(agent: Agent, turns: int) -> dict[str, dict[str, float]]:
    """Every turn is the first of its own conversation; times to the first event of a kind and to the end."""
    times: dict[str, list[float]] = {"items on screen": [], "first words": [], "whole turn": []}
    for request in tqdm(_requests(agent.catalog, turns), desc="turns", leave=False):
        started = time.perf_counter()
        seen: set[type[Event]] = set()
        for event in run_turn(agent, Session(), request):
            for kind, name in ((Shown, "items on screen"), (Text, "first words"), (Done, "whole turn")):
                if isinstance(event, kind) and kind not in seen:
                    seen.add(kind)
                    times[name].append((time.perf_counter() - started) * 1000)
    return {name: _spread(ms) | {"aim": TURN_AIMS_MS[name]} for name, ms in times.items() if ms}


def _requests(catalog: Catalog, count: int) -> list[str]:
    """Plain requests from the catalog's own values and titles."""
    values = [value.lower() for column in catalog.manifest.enumerated() for value in (column.values or ())[:12]]
    noun = catalog.manifest.noun
    asked = []
    for step in range(count):
        like = f"something like {catalog.titles[step % 50]}"
        feel = f"I feel like {values[step % len(values)]}" if values else f"a good {noun}"
        asked.append((feel, like, f"a {noun} about an unlikely friendship")[step % 3])
    return asked


def machine() -> str:
    """Processor, cores and memory, for the head of a table."""
    return f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def _processor() -> str:
    """The processor's name where Linux gives it, else what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _spread(ms: list[float]) -> dict[str, float]:
    return {"median": float(np.median(ms)), "p95": float(np.percentile(ms, 95)), "n": float(len(ms))}


def _print(results: dict[str, Any]) -> None:
    held = results["catalog"]
    print(f"{results['date']}  {results['machine']}  python {results['python']}  engine {results['engine']}")
    print(f"{held['items']:,} items, build {held['build']}")
    print("\n".join(_rows(results)))


def _rows(results: dict[str, Any]) -> Iterator[str]:
    yield f"\n{'':<18}{'median ms':>10}{'p95 ms':>9}   aim"
    for name, spread in results["tools"].items():
        yield f"{name:<18}{spread['median']:>10.1f}{spread['p95']:>9.1f}   p95 {TOOL_AIM_MS:.0f}"
    for name, spread in results["turn"].items():
        p95 = f", p95 {TURN_P95_AIM_MS:.0f}" if name == "whole turn" else ""
        yield f"{name:<18}{spread['median']:>10.0f}{spread['p95']:>9.0f}   median {spread['aim']:.0f}{p95}"
    yield f"start              {results['start_s']:>8.1f} s            {START_AIM_S:.0f} s"
    yield f"memory             {results['memory_mb']:>8.0f} MB           {MEMORY_AIM_MB:.0f} MB"
