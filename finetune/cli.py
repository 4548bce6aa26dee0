"""`usher finetune`: data, train, export, parity, score, card."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.llm import Role
from agent.settings import Settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Train the roles.")


@cli.command()
def data(
    out: Annotated[Path, typer.Option(help="File of examples to write, ending in .jsonl.gz.")],
    role: Annotated[Role, typer.Option(help="Whose examples.")] = "planner",
    catalog: Annotated[
        list[Path] | None, typer.Option(help="Folder of a built catalog; may be given several times [USHER_CATALOG].")
    ] = None,
    count: Annotated[int, typer.Option("--n", min=1, help="Examples; of the ranker, cases.")] = 6000,
    seed: Annotated[int, typer.Option(help="The same seed and catalogs give the same file.")] = 1,
    redial: Annotated[
        Path | None, typer.Option(help="ReDial in the replay format: real messages for the planner.")
    ] = None,
    written: Annotated[
        Path | None,
        typer.Option(help="Hand-written dialogues about the (first) catalog, for the planner."),
    ] = None,
    apart: Annotated[
        Path | None, typer.Option(help="Held-out dialogues (JSON lines) whose messages are never trained on.")
    ] = None,
) -> None:
    """Make the training data of a role from the catalogs at hand."""
    from finetune.make import Sources, make_data

    made = make_data(role, catalog or [Settings().catalog], count, Sources(seed, redial, apart, written), out)
    print(f"{made} examples of the role {role} in {out}")


@cli.command()
def train(
    data: Annotated[Path, typer.Option(help="Examples, as `usher finetune data` writes them.")],
    role: Annotated[Role, typer.Option(help="Whose adapter.")] = "planner",
    config: Annotated[Path | None, typer.Option(help="YAML; finetune/config/ROLE.yaml when not given.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")] = "cpu",
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints; a killed training goes on from there. runs/train/ROLE")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of adapters [USHER_ADAPTERS].")] = None,
    start: Annotated[Path | None, typer.Option(help="Folder of an adapter to go on from.")] = None,
) -> None:
    """Train one role's adapter."""
    from finetune.train import Run, read_config
    from finetune.train import train as run_train

    settings = Settings()
    run = Run(work or Path("runs/train") / role)
    run_train(role, data, read_config(role, config), settings, device, run, out or settings.adapters, start)


@cli.command()
def fusion(
    data: Annotated[Path, typer.Option(help="Recorded dialogues in the replay format, gzipped or not.")],
    catalog: Annotated[Path, typer.Option(help="Folder of a built catalog.", envvar="USHER_CATALOG")] = Path("catalog"),
    remember: Annotated[bool, typer.Option(help="Also keep what each dialogue led to, not its words.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; the catalog's own when not given.")] = None,
) -> None:
    """Learn from recorded dialogues how to rank the items of a catalog."""
    from finetune.fusion import learn_fusion

    learn_fusion(data, catalog, remember, out or catalog)


@cli.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder it is written to.")],
    role: Annotated[Role, typer.Option(help="The role of the GGUF file; vllm takes every role there is.")] = "planner",
    form: Annotated[
        Literal["gguf", "vllm"], typer.Option("--format", help="One GGUF file, or a folder that vLLM serves.")
    ] = "gguf",
) -> None:
    """Merge an adapter into a GGUF file for llama.cpp and Ollama, or write the folder that vLLM serves."""
    from finetune.export import export_gguf, export_vllm

    print("\n".join(export_gguf(role, Settings(), out) if form == "gguf" else export_vllm(Settings(), out)))


@cli.command()
def parity(
    prompts: Annotated[Path, typer.Option(help="Examples of the planner, as `usher finetune data` writes them.")],
    count: Annotated[int, typer.Option("--n", min=1, help="Prompts, the first about the catalog.")] = 100,
    url: Annotated[str, typer.Option(help="A vLLM server with the adapters: http://localhost:8000/v1")] = "",
    catalog: Annotated[Path | None, typer.Option(help="Folder of the prompts' catalog [USHER_CATALOG].")] = None,
) -> None:
    """Compare the plans of peft, of the merged GGUF file and of a vLLM server."""
    from finetune.parity import run_parity

    run_parity(prompts, count, url, Settings() if catalog is None else Settings(catalog=catalog))


@cli.command()
def score(
    file: Annotated[Path, typer.Option(help="Examples, as `usher finetune data` writes them.")],
    role: Annotated[Role, typer.Option(help="Whose adapter.")] = "planner",
    count: Annotated[int | None, typer.Option("--n", min=1, help="Examples at most.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. runs/score/ROLE")] = None,
) -> None:
    """Score an adapter on a file of examples; on real requests: usher eval planner."""
    from finetune.score import run_score

    run_score(role, file, count, Settings(), out or Path("runs/score") / role)


@cli.command()
def card(
    role: Annotated[Role, typer.Option(help="Whose adapter.")] = "planner",
    results: Annotated[
        list[Path] | None,
        typer.Option(help="results.json of usher eval or usher finetune score; may be given several times."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML it was trained by; finetune/config/ROLE.yaml when not given.")
    ] = None,
    limits: Annotated[
        Path | None, typer.Option(help="Markdown, put in as it stands; limits.md beside the adapter when not given.")
    ] = None,
    made: Annotated[str, typer.Option("--made-by", help="The command that made its data, to be quoted.")] = "",
) -> None:
    """Write an adapter's model card (README.md) from its own files and from what was measured."""
    from finetune.card import Sources, write_card

    print(write_card(role, Settings(), Sources(tuple(results or ()), config, limits, made)))
