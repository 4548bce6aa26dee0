"""`usher finetune`: data, train, export, score. Not built yet; each says so and exits 2."""

import sys

import typer

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Train the roles.")


def _not_built(name: str) -> None:
    print(f"usher: finetune {name} is not built yet", file=sys.stderr)
    raise typer.Exit(2)


@cli.command()
def data() -> None:
    """Make the training data."""
    _not_built("data")


@cli.command()
def train() -> None:
    """Train one role's adapter."""
    _not_built("train")


@cli.command()
def export() -> None:
    """Merge an adapter into a GGUF file."""
    _not_built("export")


@cli.command()
def score() -> None:
    """Score an adapter on held-out requests."""
    _not_built("score")
