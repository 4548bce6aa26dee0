"""One plan for one message: what the planner reads, what it writes under the grammar, and what it left out put in."""

from collections.abc import Sequence

from agent.context import PlannerContext
from agent.llm import Engine, Message
from agent.mend import mended
from agent.messages import planner_messages
from agent.plan import Plan, write_plan
from tools.schema import Manifest


def plan_turn(
    engine: Engine,
    manifest: Manifest,
    grammar: str,
    examples: Sequence[Message],
    context: PlannerContext,
    error: str = "",
) -> Plan:
    """`examples` are for a planner that was not trained; `error` is what was wrong with its last try.

    The trained one's plans are mended: its mistakes are known. A bigger model may read between the lines, and is let.

    Raises ToolError when what the planner wrote is no plan.
    """
    messages = planner_messages(manifest, context, examples, error)
    plan = write_plan(engine, messages, grammar)
    return mended(plan, context, manifest) if engine.trained("planner") else plan
