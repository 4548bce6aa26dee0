"""`usher eval cf`: the CF tool against other libraries on one split, each in a process of its own.

A filter with several settings is fitted with each on nine tenths of what all may learn from; the setting with the best
nDCG@10 on the last tenth is fitted again on all of it, and that is what is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, save_npz

from agent.histories import histories
from eval import cf_rivals
from eval.metrics import ndcg, places, recall
from eval.report import write_report
from eval.runs import Record, Run
from eval.stats import Floats, estimates, paired_difference
from tools.catalog import Catalog
from tools.errors import UsherError

HELD_OUT = 0.2  # share of all likes, drawn at random
VALIDATION = 0.1  # of the rest, where settings are chosen
OURS = "usher EASE"
FIGURES = ("nDCG@10", "recall@20")
COSTS = ("training s", "query ms", "peak MB")
GRIDS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "popularity": ({},),
    OURS: ({"l2": 100.0},),  # as the tool has it
    "implicit ALS": tuple({"factors": n, "alpha": alpha} for n in (16, 32, 64) for alpha in (1.0, 10.0)),
    "implicit BM25": ({"K": 20}, {"K": 100}),
    "LensKit ALS": tuple({"embedding_size": n, "weight": weight} for n in (16, 32, 64) for weight in (5.0, 40.0)),
    "LensKit item kNN": ({"max_nbrs": 20}, {"max_nbrs": 100}),
    "RecBole EASE": ({"reg_weight": 100.0}, {"reg_weight": 250.0}),
    "RecBole item kNN": ({"k": 100},),
}
INSTALL: Mapping[str, str] = {
    "implicit": "pip install 'usher-recommender[cf]'",
    "lenskit": "python -m venv lk && lk/bin/pip install lenskit, then --python lenskit=lk/bin/python",
    "recbole": "python -m venv rb && rb/bin/pip install recbole 'numpy<2' 'pandas<2.2' 'scipy<1.12', then"
    " --python recbole=rb/bin/python",
}


@dataclass(frozen=True)
class Asked:
    """`pythons` are interpreters by library, for those that cannot live beside this project's versions."""

    catalog: Path
    out: Path
    names: tuple[str, ...] = tuple(GRIDS)
    pythons: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1
    timeout: float = 900.0  # seconds a fit may take


def run_cf(asked: Asked) -> None:
    """Print the table and fill the run folder; a library that is not installed is named with its install line.

    Raises UsherError for a catalog without interactions, or when a filter fails.
    """
    with Catalog.open(asked.catalog) as catalog:
        likes = all_likes(catalog)
        manifest = catalog.manifest
    train, test = split(likes, HELD_OUT, asked.seed)
    config = {
        "command": "cf",
        "catalog": {"name": manifest.name, "items": manifest.rows, "build": manifest.build_hash},
        "names": asked.names,
        "seed": asked.seed,
        "likes": int(likes.nnz),
        "people": int(likes.shape[0]),
    }
    run = Run.open(asked.out, config)
    records = list(run.map(lambda name: measure(name, train, test, asked), {name: name for name in asked.names}))
    figures = {"date": date.today().isoformat(), **results(records)}
    run.finish(figures)
    write_report(run.folder)
    print_results(config, figures)


def all_likes(catalog: Catalog) -> csr_matrix:
    """People x items, 1 where someone liked an item; a like is what the CF tool takes for one."""
    people = histories(catalog)
    rows = np.concatenate([np.full(len(one.likes), place) for place, one in enumerate(people)])
    items = np.concatenate([one.rows[one.likes] for one in people])
    return csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, items)), shape=(len(people), len(catalog)))


def split(likes: csr_matrix, share: float, seed: int) -> tuple[csr_matrix, csr_matrix]:
    """Two matrices of the same shape: what may be learned from, and a share of all likes drawn at random."""
    found = likes.tocoo()
    held = np.random.default_rng(seed).random(found.nnz) < share
    parts = [(found.data[mask], (found.row[mask], found.col[mask])) for mask in (~held, held)]
    learned, out = (csr_matrix(part, shape=likes.shape) for part in parts)
    return learned, out


def measure(name: str, train: csr_matrix, test: csr_matrix, asked: Asked) -> Record:
    """One filter: the setting that is best on a part of `train`, fitted on all of it; or why it is `missing`."""
    grid, tried = GRIDS[name], list[dict[str, Any]]()
    best = grid[0]
    if len(grid) > 1:
        inner, validation = split(train, VALIDATION, asked.seed)
        for settings in grid:
            fitted = fit(name, settings, inner, asked)
            if isinstance(fitted, str):
                return {"name": name, "missing": fitted}
            tried.append(
                {"settings": settings, "nDCG@10": round(float(judge(fitted["lists"], validation)[:, 0].mean()), 4)}
            )
        best = max(tried, key=lambda one: float(one["nDCG@10"]))["settings"]
    fitted = fit(name, best, train, asked)
    if isinstance(fitted, str):
        return {"name": name, "missing": fitted}
    return {
        "name": name,
        "settings": best,
        "tried": tried,
        "version": str(fitted["version"]),
        "costs": dict(zip(COSTS, (float(fitted[key]) for key in ("train_s", "query_ms", "peak_mb")), strict=True)),
        "people": [[round(float(value), 5) for value in row] for row in judge(fitted["lists"], test)],
    }


def fit(name: str, settings: Mapping[str, Any], likes: csr_matrix, asked: Asked) -> dict[str, NDArray[Any]] | str:
    """What cf_rivals measured, or the install line where the library is missing. Raises UsherError for a failure."""
    library, _ = cf_rivals.FITS[name]
    python = asked.pythons.get(library, sys.executable)
    # Another interpreter must not see this one's packages; this one must see the project however it was started.
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)} if python == sys.executable else {**os.environ}
    if python != sys.executable:
        own.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "likes.npz", Path(folder) / "out.npz"
        save_npz(source, likes)
        code = f"import runpy; runpy.run_path({str(Path(cf_rivals.__file__))!r}, run_name='__main__')"
        command = [python, "-c", code, name, json.dumps(settings), str(source), str(out)]
        try:
            done = subprocess.run(
                command, env=own, cwd=folder, capture_output=True, text=True, timeout=asked.timeout, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsherError(f"{name}: {error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            if "PackageNotFoundError" in last:
                return f"not installed: {INSTALL[library]}"
            raise UsherError(f"{name}: {last}")
        with np.load(out) as held:
            return {key: held[key] for key in held.files}


def judge(lists: NDArray[np.int64], test: csr_matrix) -> Floats:
    """FIGURES of each person with a held-out like, shape (people, figures)."""
    found = []
    for row in np.flatnonzero(np.diff(test.indptr)):
        gold = [str(item) for item in test[row].indices]
        ranked = [str(item) for item in lists[row] if item >= 0]
        at = places(ranked, gold)
        found.append([ndcg(at, 10), recall(at, 20)])
    return np.array(found)


def results(records: Sequence[Record]) -> dict[str, Any]:
    """By filter: means with intervals over people, costs, and the paired difference to ours."""
    scored = {record["name"]: np.array(record["people"]) for record in records if "people" in record}
    rows: dict[str, Any] = {}
    for record in records:
        if (values := scored.get(record["name"])) is not None:
            found = estimates(values, np.ones_like(values), np.full(len(FIGURES), len(values)))
            costs = {name: {"mean": round(value, 3)} for name, value in record["costs"].items()}
            rows[record["name"]] = {name: one.json() for name, one in zip(FIGURES, found, strict=True)} | costs
    return {
        "rows": rows,
        "settings": {record["name"]: record["settings"] for record in records if "settings" in record},
        "missing": {record["name"]: record["missing"] for record in records if "missing" in record},
        "differences": {
            name: {
                "less": OURS,
                **{
                    figure: paired_difference(values[:, at], scored[OURS][:, at], np.ones(len(values))).json()
                    for at, figure in enumerate(FIGURES)
                },
            }
            for name, values in scored.items()
            if name != OURS and OURS in scored
        },
    }


def print_results(config: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """The table, and what could not be run."""
    held = config["catalog"]
    print(f"{figures['date']}  {held['name']}, build {held['build'][:12]}")
    print(f"{config['likes']:,} likes of {config['people']:,} people")
    print(f"{HELD_OUT:.0%} of the likes held out at random, seed {config['seed']}; 95% intervals over people\n")
    print(f"{'':<20}" + "".join(f"{name:>24}" for name in FIGURES) + "".join(f"{name:>14}" for name in COSTS))
    for name, row in figures["rows"].items():
        cells = [f"{row[one]['mean']:.3f} ({row[one]['low']:.3f}..{row[one]['high']:.3f})" for one in FIGURES]
        costs = [f"{row[one]['mean']:.2f}" for one in COSTS]
        print(f"{name:<20}" + "".join(f"{cell:>24}" for cell in cells) + "".join(f"{cost:>14}" for cost in costs))
    for name, why in figures["missing"].items():
        print(f"{name}: {why}")
