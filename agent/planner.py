"""One plan for one message: what the planner reads, what it writes under the grammar, and what it left out put in."""

from collections.abc import Sequence

from agent.context import PlannerContext
from agent.llm import Engine, Message
from agent.mend import completed
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

    Raises ToolError when what the planner wrote is no plan.
    """
    messages = planner_messages(manifest, context, examples, error)
    return completed(write_plan(engine, messages, grammar), context)
