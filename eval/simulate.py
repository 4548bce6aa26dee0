"""`usher eval simulate`: the same simulated people talk to every row, and what comes of it is compared."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from agent.llm import Engine, open_engine
from agent.loop import Agent
from agent.settings import Settings
from eval.agenda import AgendaUser
from eval.cluster import on_cluster
from eval.dialogue import LISTED, Stage, User
from eval.leaks import Leak, Titles, leaks
from eval.model_user import ModelUser
from eval.outcome import print_results, results
from eval.people import Person, people, without
from eval.recommenders import MODEL_FREE, RANDOM, TOOLS, AgentRow, RandomRow, Recommender, ToolsRow
from eval.report import write_report
from eval.runs import Record, Run
from tools.catalog import Catalog
from tools.errors import UsherError

AGENDA, MODEL = "agenda", "model"  # users; any other is a server's URL
AGENT, BASE = "agent", "base"  # rows with the engine that is set, with its adapters and without


@dataclass(frozen=True)
class Asked:
    """What to simulate. `rows` are MODEL_FREE, AGENT, BASE or an OpenAI-compatible URL, `URL#MODEL` where it serves
    several; `users` are AGENDA, MODEL or such a URL. `reference` is the row that others are compared with.
    """

    catalog: Path
    out: Path
    rows: tuple[str, ...] = MODEL_FREE
    users: tuple[str, ...] = (AGENDA,)
    reference: str = "popularity"
    count: int = 100
    seed: int = 1
    jobs: int = 1
    ray: str = ""


@dataclass(frozen=True)
class Task:
    """One dialogue: who talks, driven by what, to which row."""

    row: str
    user: str
    person: Person


@dataclass
class Simulation:
    """What dialogues need, opened once in each process; engines when a task first wants them."""

    asked: Asked
    settings: Settings = field(init=False)
    catalog: Catalog = field(init=False)
    stage: Stage = field(init=False)
    _engines: dict[str, Engine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(catalog=self.asked.catalog, shown=LISTED)
        self.catalog = without(Catalog.open(self.asked.catalog))
        self.stage = Stage(self.catalog)
        for name in (*self.asked.rows, *self.asked.users):
            if name not in (*MODEL_FREE, AGENDA):
                self._engine(name)  # before any thread asks for it, and before a run begins that could not end

    def dialogue(self, task: Task) -> Record:
        """Raises EngineError when a model cannot be reached."""
        record = self.stage.play(self._user(task), task.person, self._recommender(task.row))
        return {"row": task.row, "user": task.user, "person": task.person.id, **record}

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self.catalog.close()

    def _recommender(self, row: str) -> Recommender:
        if row == RANDOM:
            return RandomRow(self.catalog, self.asked.seed, LISTED)
        if row in TOOLS:
            return ToolsRow(self.catalog, TOOLS[row], LISTED)
        return AgentRow(Agent.of(self.catalog, self._engine(row), self.settings))

    def _user(self, task: Task) -> User:
        noun = self.catalog.manifest.noun
        if task.user == AGENDA:
            return AgendaUser(task.person, noun, self.asked.seed)
        return ModelUser(self._engine(task.user), task.person, noun, self.asked.seed)

    def _engine(self, name: str) -> Engine:
        key = AGENT if name == MODEL else name
        if key not in self._engines:
            self._engines[key] = open_engine(self._settings(key))
        engine = self._engines[key]
        if name == MODEL and not engine.plays("user"):
            raise UsherError(
                f"{self.settings.adapters}: has no adapter for the role user; train it, or name a server's URL"
            )
        return engine

    def _settings(self, key: str) -> Settings:
        if key == AGENT:
            return self.settings
        if key == BASE:
            return self.settings.model_copy(update={"adapters": self.settings.adapters / "none"})
        url, _, model = key.partition("#")
        return self.settings.model_copy(update={"llm_url": url, "llm_model": model})


def run_simulate(asked: Asked) -> None:
    """Print the tables and fill the run folder.

    Raises EngineError, and UsherError for a catalog or folder that cannot be used, or a person who was told a title.
    """
    simulation = Simulation(asked)
    try:
        persons = people(simulation.catalog, asked.count, asked.seed)
        run = Run.open(asked.out, _config(asked, simulation))
        tasks = {
            f"{user}/{row}/{person.id}": Task(row, user, person)
            for user in asked.users
            for row in asked.rows
            for person in persons
        }
        with (
            on_cluster(asked.ray, asked.jobs, Simulation, asked)
            if asked.ray
            else nullcontext(simulation.dialogue) as play
        ):
            records = list(run.map(play, tasks, asked.jobs, "dialogues"))
        found = check(records, titles_of(simulation.catalog, persons))
        figures = {
            "date": date.today().isoformat(),
            "people": len(persons),
            "leaks": [leak.json() for leak in found],
            **results(records, found, asked.reference, len(simulation.catalog)),
        }
    finally:
        simulation.close()
    run.finish(figures)
    write_report(run.folder)
    print_results(run.config, figures)


def titles_of(catalog: Catalog, persons: Sequence[Person]) -> dict[str, Titles]:
    """A finder of each person's hidden titles."""
    return {person.id: Titles({item: catalog.title(item) or "" for item in person.hidden}) for person in persons}


def check(records: Sequence[Record], titles: Mapping[str, Titles]) -> list[Leak]:
    """The leaks of all dialogues: hidden titles that a user said or read before the recommender named them.

    Raises UsherError when one stood in what a person was given: then every figure is worthless.
    """
    found = [leak for record in records for leak in leaks(record, titles[record["person"]])]
    given = [leak for leak in found if leak.where == "given"]
    if given:
        raise UsherError(
            f"{given[0].dialogue}: the simulated user was given the hidden item {given[0].item_id} by title"
        )
    return found


def _config(asked: Asked, simulation: Simulation) -> dict[str, Any]:
    held = {name: value for name, value in asdict(asked).items() if name not in ("out", "jobs", "ray")}
    manifest = simulation.catalog.manifest
    return {
        "command": "simulate",
        **held,
        "catalog": {"name": manifest.name, "items": manifest.rows, "build": manifest.build_hash},
        "engines": {name: engine.name for name, engine in simulation._engines.items()},
    }
