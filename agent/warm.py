"""What every role is asked once before the first turn, so that no turn waits for a model, a prompt or a grammar."""

from collections.abc import Sequence

from agent.context import PlannerContext
from agent.grammar import plan_grammar
from agent.llm import Message, Request
from agent.messages import chat_messages, planner_messages, ranker_messages, user_messages
from agent.plan import MAX_TOKENS
from tools.schema import Manifest


def warm_requests(manifest: Manifest, examples: Sequence[Message]) -> tuple[Request, ...]:
    """One a role: its prompt over this catalog, and the planner's grammar. `examples` are an untrained planner's."""
    noun = manifest.noun
    context = PlannerContext("hello")
    return (
        Request("planner", planner_messages(manifest, context, examples), MAX_TOKENS, plan_grammar(manifest)),
        Request("ranker", ranker_messages(noun, "hello", ["one", "two"]), 1),
        Request("writer", chat_messages(noun, "hello"), 1),
        Request("user", user_messages(noun, "", (), (), "knows"), 1),
    )
