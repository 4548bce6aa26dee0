"""The plan: what the planner writes, as typed data and as its one line of text, and how it is asked for.

The line is the act, then the calls, joined by " | ":

    recommend 2 | sql_filter 'Comedy' IN genres AND year < 1990 ORDER BY year DESC | dense_search a road trip
    recommend | cf_recommend "Heat", "Alien" NOT "Saw"
    ask Which genre would you like? | facet_counts genres

It takes half the tokens of the same plan in JSON, and a plan's tokens are most of a turn's time.
"""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer, model_validator

from agent.llm import Engine, Message, Request, complete
from tools.errors import ToolError

MOST_CALLS = 6
MAX_TOKENS = 220  # of a plan; the grammar's longest sensible plan is shorter
QUERIES = {"bm25_search": "query", "dense_search": "query", "facet_counts": "column"}
TITLES = {"similar_items": "item_id", "title_lookup": "title"}

Act = Literal["recommend", "ask", "answer", "chat"]

# A bar inside quotes does not end a call. What is quoted is read without going back: a model that stammers quotes would
# be tried in more ways than there is time for.
_QUOTED = r"""(?:'(?:[^']|'')*+'|"[^"]*+"|[^'"|])*+"""
_CALL = re.compile(
    rf"(?P<tool>sql_filter|cf_recommend|similar_items|title_lookup) ?(?P<quoted>{_QUOTED})"
    r"|(?P<search>bm25_search|dense_search|facet_counts) (?P<plain>[^|]+)"
)
_ORDER = re.compile(r"(?P<where>(?:'(?:[^']|'')*+'|[^'])*?) ?\bORDER BY (?P<order>[^']+)")
_HEAD = re.compile(r"(?P<act>recommend|ask|answer|chat)\b(?: (?P<rest>[^|]*))?")
_TITLE = re.compile(r'"([^"]*)"')


class Call(BaseModel):
    """One tool call; in JSON the arguments stand beside the tool's name."""

    model_config = ConfigDict(frozen=True)

    tool: str
    arguments: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        if isinstance(data, dict) and "arguments" not in data:
            return {"tool": data.get("tool"), "arguments": {k: v for k, v in data.items() if k != "tool"}}
        return data

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        return {"tool": self.tool, **self.arguments}

    def text(self) -> str:
        """The call as the planner writes it. Only what the planner can say: a tool's other arguments are left out."""
        arguments = self.arguments
        if self.tool == "sql_filter":
            order = f"ORDER BY {arguments['order_by']}" if arguments.get("order_by") else ""
            said = " ".join(part for part in (arguments.get("where", ""), order) if part)
        elif self.tool == "cf_recommend":
            disliked = _quote(arguments.get("disliked") or [])
            said = " ".join(
                [
                    *([liked] if (liked := _quote(arguments.get("liked") or [])) else []),
                    *([f"NOT {disliked}"] if disliked else []),
                ]
            )
        elif self.tool in TITLES:
            said = _quote([str(arguments[TITLES[self.tool]])])
        else:
            said = " ".join(str(arguments[QUERIES[self.tool]]).replace("|", " ").split())
        return f"{self.tool} {said}".rstrip()

    @classmethod
    def parse(cls, text: str) -> "Call":
        """Raises ValueError on anything but a call."""
        match = _CALL.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not a call: {text[:60]!r}")
        if match["search"]:
            return cls(tool=match["search"], arguments={QUERIES[match["search"]]: match["plain"].strip()})
        tool, said = match["tool"], match["quoted"].strip()
        if tool == "sql_filter":
            order = _ORDER.fullmatch(said)
            where = said if order is None else order["where"].strip()
            return cls(tool=tool, arguments={"where": where} | ({"order_by": order["order"].strip()} if order else {}))
        if tool == "cf_recommend":
            liked, _, disliked = re.sub(r'(^|" )NOT (?=")', r"\1\n", said).partition("\n")
            named = {"liked": _TITLE.findall(liked), "disliked": _TITLE.findall(disliked)}
            return cls(tool=tool, arguments={name: titles for name, titles in named.items() if titles})
        titles = _TITLE.findall(said)
        if len(titles) != 1:
            raise ValueError(f"not one title: {text[:60]!r}")
        return cls(tool=tool, arguments={TITLES[tool]: titles[0]})


class Plan(BaseModel):
    """What to do about one message. `count` is how many items were asked for, None when the person named no number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: Act
    count: int | None = Field(default=None, ge=1, le=20)
    calls: tuple[Call, ...] = Field(default=(), max_length=MOST_CALLS)
    question: str | None = None

    def text(self) -> str:
        """The plan as the planner writes it, one line."""
        head = " ".join(str(part) for part in (self.act, self.count, self.question) if part)
        return " | ".join([head, *(call.text() for call in self.calls)])

    @classmethod
    def parse(cls, text: str) -> "Plan":
        """The plan of a line. Raises ValueError naming what is no act, count or call."""
        head, *calls = _split(text.strip())
        match = _HEAD.fullmatch(head.strip())
        if match is None:
            raise ValueError(f"not an act: {head[:60]!r}")
        act, rest = match["act"], (match["rest"] or "").strip()
        said: dict[str, Any] = {}
        if rest and act == "ask":
            said["question"] = rest
        elif rest:
            said["count"] = rest
        return cls.model_validate({"act": act, "calls": [Call.parse(call) for call in calls], **said})


def write_plan(engine: Engine, messages: tuple[Message, ...], grammar: str) -> Plan:
    """Ask the planner. Raises ToolError when what it wrote is no plan, which an engine that obeys grammars never does
    unless the plan outgrew its tokens.
    """
    text = complete(engine, Request("planner", messages, MAX_TOKENS, grammar))
    try:
        return Plan.parse(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ToolError(f"not a plan: {where} {first['msg']}") from error
    except ValueError as error:
        raise ToolError(f"not a plan: {error}") from error


def _split(text: str) -> list[str]:
    """The act and the calls. Quotes count only inside calls that quote; a query may hold an apostrophe."""
    head, bar, rest = text.partition(" | ")
    parts = [head]
    while bar:
        match = _CALL.match(rest)
        end = match.end() if match else len(rest)
        parts.append(rest[:end])
        bar, rest = rest[end:], rest[end:].removeprefix("|").strip()
    return parts


def _quote(titles: list[str]) -> str:
    return ", ".join('"' + " ".join(title.replace('"', "'").replace("|", " ").split()) + '"' for title in titles)
