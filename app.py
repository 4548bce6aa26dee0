"""The `usher` command: composes catalog, agent and page, and hands `eval` and `finetune` to their own rooms."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.settings import Settings
from agent.vllm_server import serve as serve_model
from tools.errors import UsherError
from tools.schema import Manifest

if TYPE_CHECKING:  # what serves is heavy, and most commands don't
    from agent.server.database import Database
    from agent.server.service import Service

CatalogOption = Annotated[Path | None, typer.Option("--catalog", help="Folder of a built catalog [USHER_CATALOG].")]
ROOM = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

cli = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A conversational recommender over your own catalog."
)
catalog_cli = typer.Typer(no_args_is_help=True, help="Build a catalog, add to it, or say what it holds.")
tools_cli = typer.Typer(no_args_is_help=True, help="The tools, scripted.")
model_cli = typer.Typer(no_args_is_help=True, help="The language models there are, and more from a hub.")
keys_cli = typer.Typer(no_args_is_help=True, help="The API keys of a server that others can reach.")
cli.add_typer(catalog_cli, name="catalog")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(tools_cli, name="tools")
cli.add_typer(model_cli, name="model")


def main() -> None:
    """Run the command line. Errors are one line on stderr, exit 1; bad usage exits 2."""
    try:
        cli()
    except UsherError as error:
        print(f"usher: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("usher: stopped", file=sys.stderr)
        sys.exit(130)


def _settings(catalog: Path | None) -> Settings:
    return Settings() if catalog is None else Settings(catalog=catalog)


@cli.command()
def chat(
    catalog: CatalogOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback with API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 7860,
    page: Annotated[bool, typer.Option(help="With the web page.")] = True,
) -> None:
    """Serve: the web page, HTTP and MCP on one port."""
    from agent.server.factory import build_server, is_loopback, listen, uvicorn_server
    from agent.server.keys import Keys
    from agent.server.watching import export_spans, log_to_stderr

    settings = _settings(catalog)
    with _state(settings) as database:
        keys = None if is_loopback(host) else Keys(database)
        if keys is not None and not keys.any():
            raise UsherError(f"{host} can be reached from elsewhere, so an API key is needed; run: usher keys add NAME")
        listening = listen(host, port)
        with _service(settings, database) as service:
            log_to_stderr()
            if settings.otlp:
                export_spans(settings.otlp)
            server = build_server(service, keys)
            if page:
                from agent.page import mount_page

                mount_page(server, service)
            held = service.agent.catalog
            where = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
            print(f"Usher: {len(held):,} {held.manifest.noun}s on {where}", flush=True)
            threading.Thread(target=service.warm, daemon=True).start()  # while the page opens
            uvicorn_server(server).run(sockets=[listening])


@contextmanager
def _state(settings: Settings) -> Iterator["Database"]:
    from agent.server.database import open_database

    database = open_database(settings.state)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _service(settings: Settings, database: "Database") -> Iterator["Service"]:
    """Catalog and model, opened for a server and closed after it."""
    from agent.fallback import serving_engine
    from agent.loop import Agent
    from agent.server.service import Service
    from agent.server.store import Store
    from tools.catalog import Catalog

    agent = Agent.of(Catalog.open(settings.catalog), serving_engine(settings), settings)
    try:
        yield Service.of(agent, Store(database))
    finally:
        agent.close()


@cli.command()
def ask(
    texts: Annotated[list[str] | None, typer.Argument(help="One conversation, a turn for each text.")] = None,
    file: Annotated[Path | None, typer.Option(help='Many: JSON lines {"id", "turns": [text, ..]}.')] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line a turn.")] = False,
    catalog: CatalogOption = None,
) -> None:
    """Ask in the terminal."""
    from agent.events import Done, Text
    from agent.loop import Agent, run_turn
    from agent.memory import Session

    if bool(texts) == (file is not None):
        raise typer.BadParameter("give texts or --file, one of the two")
    conversations = _conversations(file) if file is not None else [(None, texts or [])]
    agent = Agent.open(_settings(catalog))
    try:
        for name, turns in conversations:
            session = Session()
            for number, text in enumerate(turns, start=1):
                for event in run_turn(agent, session, text):
                    if isinstance(event, Done) and as_json:
                        given = {} if name is None else {"id": name, "turn": number}
                        print(json.dumps(given | event.json(), ensure_ascii=False), flush=True)
                    elif isinstance(event, Text) and not as_json:
                        print(event.piece, end="", flush=True)
                if not as_json:
                    print()
    finally:
        agent.close()


def _conversations(file: Path) -> list[tuple[str, list[str]]]:
    """Raises UsherError naming the file and the line that is broken."""
    found = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsherError(f"{file}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            raise UsherError(f"{file}:{number}: not JSON ({error})") from error
        turns = data.get("turns") if isinstance(data, dict) else None
        if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns) or "id" not in data:
            raise UsherError(f'{file}:{number}: wants {{"id": .., "turns": [text, ..]}}')
        found.append((str(data["id"]), turns))
    return found


@tools_cli.command("list")
def tools_list() -> None:
    """Every tool with its JSON Schema."""
    from tools.registry import TOOLS

    print(json.dumps([tool.schema() for tool in TOOLS.values()], indent=2))


@tools_cli.command("call")
def tools_call(
    name: Annotated[str, typer.Argument(help="The tool's name.")],
    arguments: Annotated[str, typer.Argument(help="Its arguments as JSON.")] = "{}",
    catalog: CatalogOption = None,
) -> None:
    """Run one tool and print its result as JSON."""
    from tools.catalog import Catalog
    from tools.errors import ToolError
    from tools.registry import call, describe

    try:
        parsed = json.loads(arguments)
    except ValueError as error:
        raise ToolError(f"{name}: the arguments are not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise ToolError(f"{name}: the arguments must be a JSON object")
    with Catalog.open(_settings(catalog).catalog) as opened:
        print(json.dumps(describe(opened, call(opened, name, parsed)), indent=2, ensure_ascii=False, default=str))


@catalog_cli.command("build")
def catalog_build(
    source: Annotated[str, typer.Argument(help="movielens, or a folder with items (csv, parquet or jsonl).")],
    out: Annotated[Path, typer.Option(help="Where the catalog goes.")],
    facts: Annotated[bool, typer.Option(help="Join the film facts to movielens.")] = True,
) -> None:
    """Build a catalog: tables, documents, indexes, and a manifest."""
    from tools.build import build
    from tools.ingest import folder_source
    from tools.movielens import movielens_source

    read = movielens_source(with_facts=facts) if source == "movielens" else folder_source(Path(source))
    _print_catalog(build(read, out, report=lambda line: print(line, file=sys.stderr, flush=True)))


@catalog_cli.command("enrich")
def catalog_enrich(
    folder: Annotated[Path, typer.Argument(help="Folder of a built catalog.")],
    source: Annotated[str, typer.Option("--from", help="wikipedia, or a table with item_id, text and maybe source.")],
    base_url: Annotated[str, typer.Option(help="Where the summary service is [Wikipedia's].")] = "",
    rate: Annotated[float, typer.Option(min=0.01, help="Requests a second to it.")] = 5.0,
    limit: Annotated[int, typer.Option(min=1, help="Items asked about at most, popular ones first.")] = 1_000_000,
    user_agent: Annotated[str, typer.Option(help="Who asks; the service wants a contact in it.")] = "usher-recommender",
) -> None:
    """Add descriptions from a source of your own; what is found is kept beside the catalog."""
    from tools.enrich import add_file, enrich
    from tools.wikipedia import BASE_URL, ask_about_all

    if source == "wikipedia":
        counts = ask_about_all(folder, base_url or BASE_URL, rate, limit, user_agent)
        print("\n".join(f"{count:,} {what}" for what, count in counts.items()))
    else:
        unknown = add_file(folder, Path(source))
        if unknown:
            print(f"{source}: {len(unknown):,} of other items left out: {', '.join(unknown[:5])}", file=sys.stderr)
    _print_catalog(enrich(folder))


@catalog_cli.command("info")
def catalog_info(folder: Annotated[Path, typer.Argument(help="Folder of a built catalog.")]) -> None:
    """What a catalog holds."""
    _print_catalog(Manifest.read(folder))


def _print_catalog(manifest: Manifest) -> None:
    print(
        f"{manifest.name}: {manifest.rows:,} {manifest.noun}s, {manifest.described:,} with a description; "
        f"{manifest.interactions:,} interactions of {manifest.users:,} people; build {manifest.build_hash[:12]}"
    )
    for column in manifest.columns:
        kind = ("list of " if column.is_list else "") + column.type
        held = f"{column.minimum} to {column.maximum}" if column.minimum is not None else f"{column.distinct:,} values"
        missing = f", {column.missing:,} missing" if column.missing else ""
        print(f"  {column.name:<22} {kind:<14} {held}{missing}{f' ({column.note})' if column.note else ''}")
    print(f"  source: {manifest.source}")
    print(f"  licence: {manifest.licence}")


@model_cli.command("list")
def model_list() -> None:
    """The model that answers, each role's adapter, and what was pulled."""
    from agent.models import adapter_path, model_path

    settings = Settings()
    print(f"model    {settings.model}: {settings.llm_url or model_path(settings)}")
    for role in ("planner", "ranker", "writer", "user"):
        print(f"{role:<8} {adapter_path(settings, role) or 'no adapter: the base model, prompted by examples'}")
    for folder in sorted((settings.cache / "pulled").glob("*/*")):
        print(f"pulled   {folder}")


@model_cli.command("pull")
def model_pull(name: Annotated[str, typer.Argument(help="Its name on the model hub: owner/model.")]) -> None:
    """Fetch a model from the hub; name the folder it prints in USHER_MODEL."""
    from agent.models import pull

    print(pull(name, Settings()))


model_cli.command("serve")(serve_model)


@cli.command()
def mcp(catalog: CatalogOption = None) -> None:
    """MCP over stdio: the tools, and `recommend`."""
    import asyncio

    from agent.server.mcp import serve_stdio
    from agent.server.watching import log_to_stderr

    settings = _settings(catalog)
    log_to_stderr()
    with _state(settings) as database, _service(settings, database) as service:
        asyncio.run(serve_stdio(service))


@keys_cli.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="Whose key it is; keys of one name share conversations and profiles.")],
    scope: Annotated[list[str] | None, typer.Option(help="chat, tools or admin; more than one may be given.")] = None,
) -> None:
    """Make an API key and print it, this once."""
    from agent.server.keys import Keys

    with _state(Settings()) as database:
        print(Keys(database).add(name, tuple(scope or ("chat", "tools"))))


@keys_cli.command("list")
def keys_list() -> None:
    """The keys: id, name, scopes, when they were made and revoked."""
    from agent.server.keys import Keys

    with _state(Settings()) as database:
        for key in Keys(database).list():
            end = f"revoked {key.revoked}" if key.revoked else "in use"
            print(f"{key.id}  {key.name:<20} {','.join(key.scopes):<16} {key.created}  {end}")


@keys_cli.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="Its id, as `usher keys list` shows it.")]) -> None:
    """Refuse a key from now on."""
    from agent.server.keys import Keys

    with _state(Settings()) as database:
        Keys(database).revoke(key_id)


@cli.command("eval", context_settings=ROOM, add_help_option=False)
def eval_room(context: typer.Context) -> None:
    """Measure: replay, simulate, planner, cf, requests, bench."""
    _room("eval", context.args)


@cli.command("finetune", context_settings=ROOM, add_help_option=False)
def finetune_room(context: typer.Context) -> None:
    """Train the roles: data, train, export, score."""
    _room("finetune", context.args)


def _room(name: str, arguments: list[str]) -> None:
    """Run another room's command line, found by its entry point: the rooms don't import each other."""
    (room,) = entry_points(group="usher.rooms", name=name)
    room.load()(arguments, prog_name=f"usher {name}")


@cli.callback(invoke_without_command=True)
def _version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        print(version("usher-recommender"))
        raise typer.Exit
