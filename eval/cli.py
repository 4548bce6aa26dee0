"""`usher eval`: replay, simulate, feelings, planner, ranker, writer, cf, requests, bench, fuzz."""

from pathlib import Path
from typing import Annotated, Literal

import typer

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Measure.")


@cli.command()
def bench(
    catalog: Annotated[Path | None, typer.Option(help="Folder of a built catalog [USHER_CATALOG].")] = None,
    turns: Annotated[int, typer.Option(min=1, help="Turns timed, after two that warm up.")] = 20,
    calls: Annotated[int, typer.Option(min=1, help="Calls timed of each tool.")] = 200,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/bench"),
    load: Annotated[
        str, typer.Option(metavar="URL", help="Instead: many users at once against a running server.")
    ] = "",
    users: Annotated[int, typer.Option(min=1, help="Users at once, with --load.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="How long, with --load.")] = 300,
    pause: Annotated[float, typer.Option(min=0, help="Seconds a user reads an answer, with --load.")] = 0.0,
    key: Annotated[str, typer.Option(envvar="USHER_API_KEY", help="The server's API key, with --load.")] = "",
) -> None:
    """Time the tools and whole turns beside their aims, with the machine and the memory; or put load on a server."""
    if load:
        from eval.load import run_load

        run_load(load, users, seconds, out, key, pause)
        return
    from eval.bench import run_bench

    run_bench(catalog, turns, calls, out)


@cli.command()
def fuzz(
    catalog: Annotated[Path | None, typer.Option(help="Folder of a built catalog [USHER_CATALOG].")] = None,
    count: Annotated[int, typer.Option(min=1, help="Hostile calls.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Another seed makes other calls.")] = 1,
    url: Annotated[str, typer.Option(help="A running server over the same catalog, which gets a sample.")] = "",
    sample: Annotated[int, typer.Option(min=1, help="One in so many goes to the server.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/fuzz"),
) -> None:
    """Throw hostile conditions and arguments at the tools: nothing outside the white list may run."""
    from eval.fuzz import run_fuzz

    run_fuzz(catalog, count, seed, url, sample, out)


@cli.command()
def requests(
    catalog: Annotated[Path | None, typer.Option(help="Folder of a built catalog [USHER_CATALOG].")] = None,
    file: Annotated[Path | None, typer.Option(help="JSON lines; the film requests when not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/requests"),
) -> None:
    """Score both searches, their fusion and whole turns on requests with known answers."""
    from eval.requests import FILM_REQUESTS, run_requests

    run_requests(catalog, file or FILM_REQUESTS, out)


@cli.command()
def replay(
    data: Annotated[Path, typer.Option(help="Recorded dialogues in the replay format, gzipped or not.")],
    catalog: Annotated[Path, typer.Option(help="Folder of a built catalog.", envvar="USHER_CATALOG")] = Path("catalog"),
    out: Annotated[Path, typer.Option(help="Folder of the run; a killed run goes on there.")] = Path("runs/replay"),
    rows: Annotated[
        list[str] | None,
        typer.Option(help="tools, learned, agent or parts; may be given several times; all of them when not given."),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="Other recorded dialogues to count popularity in.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Dialogues at most, from all over the file.")] = None,
    bad_lines: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of bad lines that is let pass.")] = 0.01,
    jobs: Annotated[int, typer.Option(min=1, help="Dialogues at once.")] = 1,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster to fan out over, auto for the one here.")] = "",
    plans: Annotated[
        Path | None, typer.Option(help="Folder that keeps the agent's plans for other runs; OUT/plans when not given.")
    ] = None,
) -> None:
    """Replay recorded dialogues: how high each row ranks what was suggested next."""
    from eval.replay import GROUPS, Asked, run_replay

    if unknown := [name for name in rows or [] if name not in GROUPS]:
        raise typer.BadParameter(f"{unknown[0]}: is none of {', '.join(GROUPS)}", param_hint="--rows")
    groups = tuple(group for group in GROUPS if not rows or group in rows)
    run_replay(Asked(data, catalog, out, groups, train, limit, bad_lines, jobs, ray, plans))


@cli.command()
def simulate(
    catalog: Annotated[Path, typer.Option(help="Folder of a built catalog.", envvar="USHER_CATALOG")] = Path("catalog"),
    out: Annotated[Path, typer.Option(help="Folder of the run; a killed run goes on there.")] = Path("runs/simulate"),
    row: Annotated[
        list[str] | None,
        typer.Option(
            help="random, popularity, bm25, dense, cf, pipeline, agent, base (the model without adapters) or the URL of"
            " an OpenAI-compatible server, #MODEL after it; may be given several times; those without a model when not"
            " given."
        ),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(help="agenda (by rule), model (the role user) or a server's URL; may be given several times."),
    ] = None,
    reference: Annotated[str, typer.Option(help="The row that others are compared with.")] = "popularity",
    people: Annotated[int, typer.Option(min=1, help="Simulated people.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the people and of what they say.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Dialogues at once.")] = 1,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster to fan out over, auto for the one here.")] = "",
) -> None:
    """Let simulated people talk to every row, and compare what comes of it."""
    from eval.recommenders import MODEL_FREE
    from eval.simulate import AGENDA, AGENT, BASE, MODEL, Asked, run_simulate

    for name, known, option in ((row, (*MODEL_FREE, AGENT, BASE), "--row"), (user, (AGENDA, MODEL), "--user")):
        if unknown := [one for one in name or [] if one not in known and not one.startswith(("http://", "https://"))]:
            raise typer.BadParameter(f"{unknown[0]}: is neither a URL nor one of {', '.join(known)}", param_hint=option)
    rows, users = tuple(dict.fromkeys(row or MODEL_FREE)), tuple(dict.fromkeys(user or (AGENDA,)))
    run_simulate(Asked(catalog, out, rows, users, reference, people, seed, jobs, ray))


@cli.command()
def feelings(
    data: Annotated[Path, typer.Option(help="Recorded dialogues with labels, gzipped or not.")],
    catalog: Annotated[Path, typer.Option(help="Folder of a built catalog.", envvar="USHER_CATALOG")] = Path("catalog"),
    half: Annotated[Literal["all", "first", "second"], typer.Option(help="Of the file's dialogues.")] = "all",
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/feelings"),
) -> None:
    """Count how often the feeling towards a title is read as the person said afterwards."""
    from eval.feelings import run_feelings

    run_feelings(data, catalog, half, out)


@cli.command()
def planner(
    catalog: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DIR, a built catalog by the name the requests give it; may be given several times."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="JSON lines; the held-out requests when not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/planner"),
    limit: Annotated[int | None, typer.Option(min=1, help="Dialogues at most, from all over the file.")] = None,
    base: Annotated[bool, typer.Option("--base", help="The untrained model beside it.")] = False,
) -> None:
    """Score the planner on held-out requests."""
    from eval.held_out import REQUESTS
    from eval.planner import run_planner

    run_planner(_folders(catalog), file or REQUESTS, out, limit, base)


@cli.command()
def ranker(
    catalog: Annotated[Path | None, typer.Option(help="Folder of a built catalog [USHER_CATALOG].")] = None,
    people: Annotated[int | None, typer.Option(min=1, help="People at most.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/ranker"),
) -> None:
    """Score the ranker on what held-out people liked later, beside the order it is given."""
    from eval.ranker import run_ranker

    run_ranker(catalog, people, out)


@cli.command()
def writer(
    catalog: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DIR, a built catalog by the name the requests give it; may be given several times."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="JSON lines; the held-out requests when not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/writer"),
    limit: Annotated[int | None, typer.Option(min=1, help="Dialogues at most, from all over the file.")] = None,
    base: Annotated[bool, typer.Option("--base", help="The untrained model beside it.")] = False,
    samples: Annotated[int, typer.Option(min=0, help="Replies in samples.md: the first, none left out.")] = 30,
) -> None:
    """Score the writer's replies to held-out requests, before the check and after it."""
    from eval.held_out import REQUESTS
    from eval.writer import run_writer

    run_writer(_folders(catalog), file or REQUESTS, out, limit, base, samples)


@cli.command()
def cf(
    catalog: Annotated[Path, typer.Option(help="Folder of a built catalog.", envvar="USHER_CATALOG")] = Path("catalog"),
    out: Annotated[Path, typer.Option(help="Folder of the run; a killed run goes on there.")] = Path("runs/cf"),
    row: Annotated[
        list[str] | None, typer.Option(help="One filter; may be given several times; all of them when not given.")
    ] = None,
    python: Annotated[
        list[str] | None,
        typer.Option(
            help="LIBRARY=PATH: an interpreter that has the library (implicit, lenskit, recbole). LensKit and RecBole"
            " pin older versions than this project's."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 1,
) -> None:
    """Compare the CF tool with other libraries on one split."""
    from eval.cf import GRIDS, INSTALL, Asked, run_cf

    if unknown := [name for name in row or [] if name not in GRIDS]:
        raise typer.BadParameter(f"{unknown[0]}: is none of {', '.join(GRIDS)}", param_hint="--row")
    pythons = {}
    for given in python or []:
        name, equals, path = given.partition("=")
        if not (equals and path and name in INSTALL):
            raise typer.BadParameter(
                f"{given}: wants LIBRARY=PATH with one of {', '.join(INSTALL)}", param_hint="--python"
            )
        pythons[name] = path
    run_cf(Asked(catalog, out, tuple(row or GRIDS), pythons, seed))


def _folders(given: list[str] | None) -> dict[str, Path]:
    """Catalogs by name. Raises BadParameter for what is no NAME=DIR."""
    folders = {}
    for one in given or []:
        name, equals, folder = one.partition("=")
        if not (name and equals and folder):
            raise typer.BadParameter(f"{one}: wants NAME=DIR", param_hint="--catalog")
        folders[name] = Path(folder)
    return folders
