"""`usher eval planner`: the planner on held-out requests, each turn after the right plans of the turns before it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from tqdm import tqdm

from agent.context import PlannerContext, planner_context
from agent.examples import example_messages
from agent.grammar import plan_grammar
from agent.llm import Engine, Message, Request
from agent.memory import Session
from agent.messages import planner_messages
from agent.plan import MAX_TOKENS, Plan
from agent.planner import plan_turn
from agent.settings import Settings
from agent.written import Dialogue, Turn, remember, run_plan
from eval.held_out import command, opened
from eval.models import models
from eval.planner_report import print_report, write_report
from eval.plans import Case, differences, said, shares
from tools.catalog import Catalog
from tools.errors import ToolError


@runtime_checkable
class CountsTokens(Protocol):
    """An engine that can say how its model reads a prompt."""

    def tokens(self, request: Request) -> list[int]: ...


def run_planner(folders: Mapping[str, Path], file: Path, out: Path, limit: int | None, with_base: bool) -> None:
    """Print the measures and the commonest mistakes, and write results.json with every case to `out`.

    `folders` are built catalogs by the name that the requests give them. Raises CatalogError, EngineError, and
    UsherError when more than one line in a hundred cannot be used.
    """
    settings = Settings()
    found = models("planner", settings, with_base)
    planned: dict[str, list[Case]] = {}
    with opened(folders, file, limit, settings) as held_out:
        for name, model in found:
            planned[name] = plan_all(model, held_out.dialogues, held_out.catalogs, name)
            engine_name = model.name
        about = held_out.about | {"command": command("planner", file, limit, with_base), "engine": engine_name}
    print_report(write_report(about, planned, out))


def plan_all(model: Engine, dialogues: Sequence[Dialogue], catalogs: Mapping[str, Catalog], name: str) -> list[Case]:
    """Every turn planned once, catalog by catalog, as a model in service reads one card again and again.

    One plan a catalog comes first, which loads the model and the grammar and is not counted.
    """
    cases = []
    with tqdm(total=sum(len(dialogue.turns) for dialogue in dialogues), desc=name, unit="plan") as bar:
        for catalog_name, catalog in catalogs.items():
            examples = () if model.trained("planner") else example_messages(catalog.manifest)
            planner = _Planner(model, catalog, plan_grammar(catalog.manifest), examples)
            mine = [dialogue for dialogue in dialogues if dialogue.catalog == catalog_name]
            if mine:
                planner.plan(planner_context(catalog, Session(), "hello"))
            for dialogue in mine:
                session = dialogue.begin()
                for place, turn in enumerate(dialogue.turns, start=1):
                    cases.append(planner.case(dialogue, place, turn, session))
                    remember(catalog, session, turn)
                    bar.update()
    return cases


@dataclass(frozen=True)
class _Planner:
    model: Engine
    catalog: Catalog
    grammar: str
    examples: tuple[Message, ...]

    def plan(self, context: PlannerContext) -> tuple[Plan | None, str]:
        """The plan, or why there is none."""
        try:
            return plan_turn(self.model, self.catalog.manifest, self.grammar, self.examples, context), ""
        except ToolError as error:
            return None, str(error)

    def case(self, dialogue: Dialogue, place: int, turn: Turn, session: Session) -> Case:
        started = time.perf_counter()
        context = planner_context(self.catalog, session, turn.text)
        got, error = self.plan(context)
        ms = (time.perf_counter() - started) * 1000
        ours, theirs = said(self.catalog, turn.plan), said(self.catalog, got) if got is not None else None
        measured = shares(turn.plan, got, ours, theirs)
        refusals = []
        for tool, refused in run_plan(self.catalog, got, session) if got is not None else ():
            ran, tried = measured.get(f"runs {tool}", (0.0, 0.0))
            measured[f"runs {tool}"] = ran + (not refused), tried + 1
            refusals += [refused] if refused else []
        return Case(
            dialogue=dialogue.id,
            turn=place,
            kind=dialogue.kind,
            catalog=dialogue.catalog,
            text=turn.text,
            wanted=turn.plan.text(),
            got=got.text() if got is not None else None,
            error=error or "; ".join(refusals),
            wrong=tuple(differences(turn.plan, got, ours, theirs)),
            shares=measured,
            ms=ms,
            tokens=self._count(planner_messages(self.catalog.manifest, context, self.examples), got),
        )

    def _count(self, messages: tuple[Message, ...], plan: Plan | None) -> tuple[int, int] | None:
        if not isinstance(self.model, CountsTokens):
            return None
        prompt = len(self.model.tokens(Request("planner", messages, MAX_TOKENS)))
        answer = Message("assistant", plan.text() if plan is not None else "")
        # An engine encodes whole prompts only: what the plan adds is what it adds beside an empty one.
        with_plan, without = (
            len(self.model.tokens(Request("planner", (Message("user", ""), one), MAX_TOKENS)))
            for one in (answer, Message("assistant", ""))
        )
        return prompt, with_plan - without
