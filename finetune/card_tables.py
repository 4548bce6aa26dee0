"""What `usher eval planner | ranker | writer` and `usher finetune score` measured, as tables of a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from agent.llm import Role
from tools.errors import UsherError

STAGES = ("first try", "as sent")
GROUPS = ("first turn", "later turns", "catalog ")  # beginnings of the groups that the planner's second table shows
OF_GROUPS = ("act", "filter", "whole plan")
Cells = Mapping[str, str]  # of one column, by row
T = TypeVar("T")


class Estimate(BaseModel):
    """A mean with its 95% interval over `n` cases, or people."""

    mean: float
    low: float
    high: float
    n: int = Field(validation_alias=AliasChoices("n", "people"))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


class Spread(BaseModel):
    median: float
    p95: float

    def __str__(self) -> str:
        return f"{self.median:.0f} (p95 {self.p95:.0f})"


class Beside(BaseModel, Generic[T]):
    """What was measured of the adapter and, where it was asked for, of the base without it."""

    adapter: T
    base: T | None = None

    def items(self) -> list[tuple[str, T]]:
        return [("adapter", self.adapter), *([("base", self.base)] if self.base is not None else [])]


class Results(BaseModel):
    """What every results.json says of itself."""

    role: Role
    command: str
    date: str
    engine: str


class HeldOut(Results):
    """Measured on a file of held-out dialogues."""

    file: str
    sha256: str
    dialogues: int
    turns: int
    catalogs: dict[str, str]

    def about(self) -> str:
        builds = ", ".join(f"{name} (build {build})" for name, build in self.catalogs.items())
        return (
            f"{self.turns} turns of {self.dialogues} dialogues in `{self.file}` (SHA-256 {self.sha256[:12]}); "
            f"catalogs {builds}; engine {self.engine}. Means with 95% bootstrap intervals over dialogues."
        )


class Planned(BaseModel):
    measures: dict[str, dict[str, Estimate]]
    cost: dict[str, Spread]


class PlannerResults(HeldOut):
    role: Role = "planner"
    command: str = "usher eval planner"
    planners: Beside[Planned]

    def body(self) -> list[str]:
        """All turns by measure, then the groups of turns by the measures that matter most."""
        whole = {
            name: _cells(planned.measures["all"]) | {what: str(spread) for what, spread in planned.cost.items()}
            for name, planned in self.planners.items()
        }
        counts = {"n": {what: str(one.n) for what, one in self.planners.adapter.measures["all"].items()}}
        grouped = {
            f"{measure}, {name}": {
                group: str(measures[measure])
                for group, measures in planned.measures.items()
                if group.startswith(GROUPS) and measure in measures
            }
            for measure in OF_GROUPS
            for name, planned in self.planners.items()
        }
        return [table("measure", whole | counts), table("turns", grouped)]


class Written(BaseModel):
    measures: dict[str, dict[str, dict[str, Estimate]]]
    distinct: dict[str, dict[str, float]]
    cost: dict[str, Spread]


class WriterResults(HeldOut):
    role: Role = "writer"
    command: str = "usher eval writer"
    writers: Beside[Written]

    def body(self) -> list[str]:
        """The first try, which the check has not seen, beside what went out."""
        columns = {
            f"{name}, {stage}": _cells(written.measures[stage]["all"])
            | {what: f"{value:.3f}" for what, value in written.distinct[stage].items()}
            for name, written in self.writers.items()
            for stage in STAGES
        }
        cost = {name: {what: str(one) for what, one in written.cost.items()} for name, written in self.writers.items()}
        return [table("measure", columns), table("cost", cost)]


class RankerResults(Results):
    role: Role = "ranker"
    command: str = "usher eval ranker"
    catalog: dict[str, str]
    ndcg: dict[str, dict[str, Estimate]]

    def about(self) -> str:
        return (
            f"nDCG@10 on held-out people; catalog {self.catalog['name']} (build {self.catalog['build']}); engine "
            f"{self.engine}. `fused` is the order that the ranker is given, `model` that of its letters alone, "
            "`combined` what Usher shows. Means with 95% bootstrap intervals over people."
        )

    def body(self) -> list[str]:
        """A column for each kind of case."""
        columns = {f"{kind}, {rows['fused'].n} people": _cells(rows) for kind, rows in self.ndcg.items()}
        return [table("nDCG@10", columns)]


class ScoreResults(Results):
    """`usher finetune score` knows every role."""

    file: str
    examples: int
    loss: dict[str, float]
    exact: dict[str, tuple[float, int]]

    def about(self) -> str:
        return f"{self.examples} examples of `{self.file}`; answers written word for word by {self.engine}."

    def body(self) -> list[str]:
        """The loss with the adapter and without it, and exact answers by kind of example."""
        loss = {"loss (nats a token)": {name: f"{value:.4f}" for name, value in self.loss.items()}}
        exact = {
            "exact": {kind: f"{share:.1%}" for kind, (share, _) in self.exact.items()},
            "n": {kind: str(count) for kind, (_, count) in self.exact.items()},
        }
        return [table("model", loss), table("kind", exact)]


AnyResults = PlannerResults | WriterResults | RankerResults | ScoreResults


def read_results(file: Path) -> AnyResults:
    """Raises UsherError naming the file and the field for what is no results.json, or is one of the base alone."""
    try:
        held = json.loads(file.read_bytes())
        kinds: dict[str, type[AnyResults]] = {
            "planners": PlannerResults,
            "writers": WriterResults,
            "ndcg": RankerResults,
            "loss": ScoreResults,
        }
        kind = next((kinds[name] for name in kinds if name in held), None)
        if kind is None:
            raise UsherError(f"{file}: has no results of usher eval planner, ranker or writer, or usher finetune score")
        return kind.model_validate(held)
    except OSError as error:
        raise UsherError(f"{file}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsherError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, TypeError) as error:
        raise UsherError(f"{file}: is no results.json ({error})") from error


def table(corner: str, columns: Mapping[str, Cells]) -> str:
    """A Markdown table; a row for each that any column has, in the order of their first mention."""
    rows = dict.fromkeys(row for cells in columns.values() for row in cells)
    lines = [[corner, *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(cells.get(row, "") for cells in columns.values())] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(measures: Mapping[str, Estimate]) -> dict[str, str]:
    return {name: str(estimate) for name, estimate in measures.items()}
