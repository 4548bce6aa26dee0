"""`usher eval requests`: what each search and a whole turn find of the items that should come."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from agent.events import Done
from agent.loop import Agent, run_turn
from agent.memory import Session
from agent.pool import DEPTH, RRF_K
from agent.settings import Settings
from eval.stats import interval
from tools.catalog import Catalog
from tools.errors import UsherError
from tools.registry import call

FILM_REQUESTS = Path(__file__).parent / "data" / "film_requests.jsonl"
AT = 10  # items of a ranking that are looked at
Ranked = Callable[[str], Sequence[str]]  # a request's text -> item ids, best first


class Request(BaseModel):
    """What someone asks for, and the ids of the items that should come."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    text: str = Field(min_length=1)
    wanted: Annotated[list[str], Field(min_length=1)]


def run_requests(catalog: Path | None, file: Path, out: Path) -> None:
    """Print recall by ranking and kind of request, and write results.json to `out`.

    Raises CatalogError, EngineError, or UsherError naming the line of a request that cannot be used.
    """
    settings = Settings(shown=AT) if catalog is None else Settings(catalog=catalog, shown=AT)
    agent = Agent.open(settings)
    try:
        results = score(agent, read_requests(file, agent.catalog))
    finally:
        agent.close()
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    _print(results)


def score(agent: Agent, requests: Sequence[Request]) -> dict[str, Any]:
    """R@10 of every ranking: over all requests, by their kind, and of each one."""
    found = {name: _recalls(name, ranked, requests) for name, ranked in _rankings(agent).items()}
    manifest = agent.catalog.manifest
    return {
        "date": date.today().isoformat(),
        "requests": len(requests),
        "catalog": {"items": manifest.rows, "described": manifest.described, "build": manifest.build_hash[:12]},
        "engine": agent.engine.name,
        "recall": {name: _by_kind(requests, recalls) for name, recalls in found.items()},
        "each": [
            {"id": request.id, **{name: float(recalls[at]) for name, recalls in found.items()}}
            for at, request in enumerate(requests)
        ],
    }


def read_requests(file: Path, catalog: Catalog) -> list[Request]:
    """Raises UsherError naming the line that is broken or wants an item that the catalog does not have."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsherError(f"{file}: cannot be read ({error})") from error
    requests = []
    for number, line in enumerate(lines, start=1):
        try:
            request = Request.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise UsherError(f"{file}: line {number}: {where}: {first['msg']}") from error
        if unknown := [item_id for item_id in request.wanted if catalog.row_of(item_id) is None]:
            raise UsherError(f"{file}: line {number}: wanted: {unknown[0]} is not in the catalog")
        if len(set(request.wanted)) < len(request.wanted):
            raise UsherError(f"{file}: line {number}: wanted: names an item twice")
        requests.append(request)
    if not requests:
        raise UsherError(f"{file}: has no requests")
    return requests


def recall(ranked: Sequence[str], wanted: Sequence[str]) -> float:
    """R@10: wanted items among the first ten, of as many as could stand there."""
    return len(set(ranked[:AT]) & set(wanted)) / min(AT, len(wanted))


def reciprocal_ranks(rankings: Sequence[Sequence[str]]) -> list[str]:
    """One ranking from several by the sum of their reciprocal ranks (Cormack et al. 2009)."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item_id in enumerate(ranking, start=1):
            scores[item_id] += 1.0 / (RRF_K + rank)
    return sorted(scores, key=lambda item_id: -scores[item_id])


def _rankings(agent: Agent) -> dict[str, Ranked]:
    def search(tool: str, text: str) -> list[str]:
        result = call(agent.catalog, tool, {"query": text, "k": DEPTH})
        return [str(agent.catalog.ids[row]) for row in result.rows]

    def turn(text: str) -> list[str]:
        last = [event for event in run_turn(agent, Session(), text) if isinstance(event, Done)]
        return [pick.item.item_id for pick in last[0].picks]

    searches = ("bm25_search", "dense_search")
    return {
        "bm25_search": lambda text: search("bm25_search", text),
        "dense_search": lambda text: search("dense_search", text),
        "both, fused": lambda text: reciprocal_ranks([search(tool, text) for tool in searches]),
        "a whole turn": turn,
    }


def _recalls(name: str, ranked: Ranked, requests: Sequence[Request]) -> NDArray[np.float64]:
    bar = tqdm(requests, desc=name, leave=False)
    return np.array([recall(ranked(request.text), request.wanted) for request in bar])


def _by_kind(requests: Sequence[Request], recalls: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    kinds = np.array([request.kind for request in requests])
    groups = {"all": np.ones(len(kinds), dtype=np.bool_)} | {kind: kinds == kind for kind in dict.fromkeys(kinds)}
    found = {}
    for kind, mask in groups.items():
        low, high = interval(recalls[mask])
        found[str(kind)] = {"mean": float(recalls[mask].mean()), "low": low, "high": high, "n": float(mask.sum())}
    return found


def _print(results: dict[str, Any]) -> None:
    held = results["catalog"]
    print(f"{results['date']}  R@{AT} of {results['requests']} requests, 95% bootstrap intervals")
    print(
        f"{held['items']:,} items, {held['described']:,} described (build {held['build']}), engine {results['engine']}"
    )
    kinds = list(next(iter(results["recall"].values())))
    print(f"\n{'':<14}" + "".join(f"{kind:>20}" for kind in kinds))
    for name, by_kind in results["recall"].items():
        cells = (f"{one['mean']:.3f} ({one['low']:.3f}-{one['high']:.3f})" for one in by_kind.values())
        print(f"{name:<14}" + "".join(f"{cell:>20}" for cell in cells))
