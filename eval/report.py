"""report.html of a run folder: one file with tables, plots and a browser of the transcripts; it loads nothing else.

Made from config.json, results.json and transcripts.jsonl alone, so that it can be made again for any finished run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from eval.outcome import PAIRED, TABLES
from eval.plots import Point, bars, lines
from eval.runs import Record
from tools.errors import UsherError

MOST = 1000  # dialogues that the browser holds, evenly from all of them
REPLY = 700  # characters of a reply that it shows
FIRST = 5  # items of a replayed ranking that it shows
LOWER_IS_BETTER = frozenset({"turns to success", "violations", "repeats", "outside", "unsupported", "replaced", "left",
                             "asked", "tokens", "seconds", "training s", "query ms", "peak MB"})  # fmt: skip
NO_ORDER = frozenset({"popularity lift", "took", "dialogues"})
Table = Mapping[str, Mapping[str, Any]]  # row -> column -> estimate as `Estimate.json` gives it


def write_report(folder: Path) -> Path:
    """Write report.html into a finished run's folder. Raises UsherError naming the file that is missing or broken."""
    config, results = _read(folder / "config.json"), _read(folder / "results.json")
    records = _records(folder / "transcripts.jsonl")
    kept = [records[place * len(records) // MOST] for place in range(MOST)] if len(records) > MOST else records
    body = "\n".join(_simulated(results) if "users" in results else _replayed(results))
    browsed = [_browsed(record) for record in kept]
    name = str(config.get("command", folder.name))
    page = Template(files("eval").joinpath("data/report.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"usher eval {name}, {results.get('date', '')}"),
        body=_about(config, results) + body,
        kept=f"{len(kept):,} of {len(records):,} dialogues." + (_MARKS if "users" in results else ""),
        # "<" could end the script element that holds the data; the other two end a line in older JavaScript.
        records=json.dumps(browsed, ensure_ascii=False)
        .replace("<", "\\u003c")
        .replace("\u2028", " ")
        .replace("\u2029", " "),
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


_MARKS = " Filled: a later like that meets what the person asked for. Outlined: another later like."


def _read(path: Path) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UsherError(f"{path}: cannot be read ({error}); finish the run first") from error
    return held


def _records(path: Path) -> list[Record]:
    try:
        with path.open(encoding="utf-8") as held:
            return [json.loads(line) for line in held]
    except (OSError, json.JSONDecodeError) as error:
        raise UsherError(f"{path}: cannot be read ({error}); finish the run first") from error


def _about(config: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """What the figures depend on."""
    held = config.get("catalog", {})
    catalog = f"{held['name']}, {held['items']:,} items, build {held['build'][:12]}" if isinstance(held, dict) else held
    shown = {"begun": config.get("started", ""), "catalog": catalog}
    shown |= {
        name: ", ".join(f"{file} {sha[:12]}" for file, sha in config[name].items())
        for name in ("data",)
        if name in config
    }
    shown |= {name: results[name] for name in ("people", "turns", "dialogues") if name in results}
    if "data" in results:
        data = results["data"]
        shown["removed"] = f"{data['gold_named_before_share']:.1%} of what was wanted, named before"
        shown["bad lines"] = "; ".join([f"{data['bad_lines']} of {data['lines']:,}", *data["named"]])
    if "leaks" in results:
        shown["leaks"] = f"{len(results['leaks'])} hidden titles known to a user; {results['left_out']} people left out"
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in shown.items())
    whole = escape(json.dumps(config, indent=2, ensure_ascii=False))
    return (
        f'<table class="about">{rows}</table>'
        + f"<details><summary>Settings and versions</summary><pre>{whole}</pre></details>"
    )


def _simulated(results: Mapping[str, Any]) -> Iterator[str]:
    for user, rows in results["users"].items():
        yield f"<h2>User: {escape(user)}</h2>"
        measures = {row: found["measures"] for row, found in rows.items()}
        yield f'<div class="plots">{"".join(_simulated_plots(rows))}</div>'
        for names in TABLES:
            yield _table(measures, names)
        yield f"<h3>Paired differences to {escape(results['reference'])}, over people</h3>"
        yield _table({row: found["paired"] for row, found in rows.items() if "paired" in found}, PAIRED, "+")
        kinds = list(dict.fromkeys(kind for found in rows.values() for kind in found["kinds"]))
        yield "<h3>success@5 by kind of person</h3>"
        by_kind = {
            row: {kind: found["kinds"][kind]["success@5"] for kind in kinds if kind in found["kinds"]}
            for row, found in rows.items()
        }
        yield _table(by_kind, kinds)


def _simulated_plots(rows: Mapping[str, Any]) -> Iterator[str]:
    turns = [name for name in TABLES[0] if name.startswith("success@")]
    success = {row: [_point(found["measures"], name) for name in turns] for row, found in rows.items()}
    yield lines("People for whom a goal was shown, by turn", success, [name.removeprefix("success@") for name in turns])
    shares = {row: [Point(share, share, share) for share in found["shown"]] for row, found in rows.items()}
    yield bars("Share of all shown that the most shown items take", shares, ["first 10", "first 100", "first 1,000"])
    lift = {row: [_point(found["measures"], "popularity lift")] for row, found in rows.items()}
    yield bars("Popularity lift over people's own past likes", lift, ["popularity lift"])
    seconds = {
        row: [
            Point(1000 * one, 1000 * one, 1000 * one) for one in (found["seconds"]["median"], found["seconds"]["p95"])
        ]
        for row, found in rows.items()
        if found["seconds"]
    }
    yield bars("Milliseconds of a turn", seconds, ["median", "95th percentile"])


def _replayed(results: Mapping[str, Any]) -> Iterator[str]:
    rows = results.get("rows", {})
    if not rows:
        return
    figures = list(next(iter(rows.values())))
    yield f'<div class="plots">{"".join(_replayed_plots(results, figures))}</div>'
    yield "<h2>All turns</h2>" if "turns" in results else "<h2>All people</h2>"
    yield _table(rows, figures)
    if results.get("differences"):
        yield "<h3>Paired differences</h3>"
        named = {f"{row} less {found['less']}": found for row, found in results["differences"].items()}
        yield _table(named, [name for name in next(iter(named.values())) if name != "less"], "+")
    for said, held in results.get("slices", {}).items():
        yield f"<details><summary>{escape(said)}</summary>{_table(held, figures)}</details>"


def _replayed_plots(results: Mapping[str, Any], figures: Sequence[str]) -> Iterator[str]:
    recalls = [name for name in figures if name.startswith("R@")]
    if not recalls:
        return
    rows = [row for row in results["rows"] if " without " not in row]  # what a part brings is read off the tables
    at = {row: [_point(results["rows"][row], name) for name in recalls] for row in rows}
    yield lines("Recall by length of the list", at, recalls)
    funnels = results.get("funnel", {})
    steps = _in_order([[step["step"] for step in found] for found in funnels.values()])
    if steps:
        left = {row: {step["step"]: step["recall"] for step in found} for row, found in funnels.items() if row in at}
        series = {
            row: [Point(held[step], held[step], held[step]) if step in held else None for step in steps]
            for row, held in left.items()
        }
        yield lines("Share of what was wanted that is left after each step", series, steps)
    slices = results.get("slices", {})
    popularity = [said for said in slices if "popularity" in said]
    if popularity:
        middle = recalls[-2] if len(recalls) > 1 else recalls[-1]
        by = {row: [_point(slices[said].get(row, {}), middle) for said in popularity] for row in rows}
        labels = [said.removeprefix("gold popularity ") for said in popularity]
        yield bars(f"{middle} by how popular the wanted item is (interactions)", by, labels)


def _in_order(paths: Sequence[Sequence[str]]) -> list[str]:
    """The steps of several paths, each after those that come before it on any of them."""
    before: dict[str, set[str]] = {}
    for path in paths:
        for place, step in enumerate(path):
            before.setdefault(step, set()).update(path[:place])
    return list(TopologicalSorter(before).static_order())


def _point(measures: Mapping[str, Any], name: str) -> Point | None:
    return Point.of(measures[name]) if name in measures else None


def _table(rows: Table, names: Sequence[str], sign: str = "") -> str:
    """Means with their intervals; the best of a column stands out where a column has a best."""
    best = {} if sign else {name: _best(rows, name) for name in names}
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *names))
    lines_of = []
    for row, found in rows.items():
        cells = []
        for name in names:
            measure = found.get(name)
            if measure is None:
                cells.append("<td>–</td>")
                continue
            around = (
                f" <small>{measure['low']:{sign}.3f} to {measure['high']:{sign}.3f}</small>" if "low" in measure else ""
            )
            mark = ' class="best"' if best.get(name) == measure["mean"] else ""
            cells.append(f"<td{mark}>{measure['mean']:{sign}.3f}{around}</td>")
        lines_of.append(f"<tr><td>{escape(row)}</td>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines_of)}</tbody></table></div>'


def _best(rows: Table, name: str) -> float | None:
    """The best mean of a column; None where all are alike or neither end is good."""
    means = {float(found[name]["mean"]) for found in rows.values() if name in found}
    if name in NO_ORDER or len(means) < 2:
        return None
    return min(means) if name in LOWER_IS_BETTER else max(means)


def _browsed(record: Record) -> dict[str, Any]:
    """What the browser shows of a record, whatever kind of run it is from."""
    if "person" in record:
        about = [f"{record['kind']}: {record['persona']}", *record["tastes"]]
        turns = [_browsed_turn(turn) for turn in record["turns"]]
        end = {"left": "The person left.", "took": "The person took something."}.get(record["end"], "")
        return {
            "id": record["id"],
            "row": record["row"],
            "kind": record["kind"],
            "about": about,
            "turns": turns,
            "end": end,
        }
    if "turns" not in record:
        about = [f"{name}: {value}" for name, value in record.items() if name not in ("id", "people")]
        return {"id": record["id"], "row": record["id"], "kind": "", "about": about, "turns": []}
    turns = [part for turn in record["turns"] for part in _browsed_ranking(turn)]
    return {"id": record["id"], "row": "all rows", "kind": f"fold {record['fold']}", "about": [], "turns": turns}


def _browsed_ranking(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What was said before a replayed turn with what was wanted, and the first items of each row."""
    names = turn["titles"]
    wanted = [{"text": names[item] or f"{item}, not in the catalog", "mark": "goal"} for item in turn["gold"]]
    yield {"said": " | ".join(turn["said"]), "plan": f"{turn['id']}: wanted", "items": wanted, "notes": []}
    for row, found in turn["rows"].items():
        top = found["top"][:FIRST]
        items = [{"text": names[item], "mark": "goal" if item in turn["gold"] else ""} for item in top]
        yield {"said": "", "plan": row, "items": items, "notes": []}


def _browsed_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    notes = [f"not in the catalog: {title}" for title in turn.get("outside", ())]
    if turn.get("unsupported"):
        notes.append(f"unsupported: {', '.join(turn['unsupported'])}")
    items = [
        {
            "text": f"{item['title']} ({item['year']})" if item["year"] else item["title"],
            "mark": "goal" if item["goal"] else "hidden" if item["hidden"] else "",
        }
        for item in turn["items"]
    ]
    return {
        "said": turn["said"],
        "plan": turn.get("plan", ""),
        "items": items,
        "reply": turn["reply"][:REPLY],
        "notes": notes,
    }
