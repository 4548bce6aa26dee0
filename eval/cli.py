"""`usher eval`: replay, simulate, planner, ranker, cf, requests, bench, fuzz."""

import sys
from pathlib import Path
from typing import Annotated

import typer

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Measure.")


def _not_built(name: str) -> None:
    print(f"usher: eval {name} is not built yet", file=sys.stderr)
    raise typer.Exit(2)


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
    key: Annotated[str, typer.Option(envvar="USHER_API_KEY", help="The server's API key, with --load.")] = "",
) -> None:
    """Time the tools and whole turns beside their aims, with the machine and the memory; or put load on a server."""
    if load:
        from eval.load import run_load

        run_load(load, users, seconds, out, key)
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
def replay() -> None:
    """Replay recorded dialogues."""
    _not_built("replay")


@cli.command()
def simulate() -> None:
    """Run simulated users."""
    _not_built("simulate")


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

    folders = {}
    for given in catalog or []:
        name, equals, folder = given.partition("=")
        if not (name and equals and folder):
            raise typer.BadParameter(f"{given}: wants NAME=DIR", param_hint="--catalog")
        folders[name] = Path(folder)
    run_planner(folders, file or REQUESTS, out, limit, base)


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
def cf() -> None:
    """Compare the CF tool with other libraries."""
    _not_built("cf")
