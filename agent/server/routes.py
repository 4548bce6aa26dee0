"""Every path but the chat: the tools, people's likes and dislikes, feedback, and what watches the server asks."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.fallback import FallbackEngine
from agent.memory import Profile
from agent.server.database import StateError
from agent.server.formats import ID
from agent.server.guard import caller_of
from agent.server.problems import RefusedError
from agent.server.service import Service
from agent.server.store import Person
from tools.errors import ToolError
from tools.registry import TOOLS, call, describe

EXAMPLES = {
    "sql_filter": {"where": "year BETWEEN 1990 AND 1999", "limit": 5},
    "title_lookup": {"title": "shawshenk redemption"},
    "dense_search": {"query": "an unlikely friendship", "k": 5},
}
MOST = 5000  # likes and dislikes of one profile

User = Annotated[str, Path(pattern=ID, description="the user, as in the chat request's field `user`")]
ItemId = Annotated[str, Field(max_length=256)]


def tool_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["tools"])

    @routes.get("/v1/tools", summary="OpenAI function schemas of the tools")
    def schemas() -> dict[str, Any]:
        return {"object": "list", "data": [tool.schema() for tool in TOOLS.values()]}

    @routes.post("/v1/tools/{name}", summary="Run one tool")
    def run(
        name: str,
        arguments: Annotated[
            dict[str, Any],
            Body(openapi_examples={name: {"value": value} for name, value in EXAMPLES.items()}),
        ],
    ) -> dict[str, Any]:
        """Items with every column, best first; `count` is how many there are in all. 400 says what is allowed."""
        if name not in TOOLS:
            raise RefusedError(404, f"no tool {name[:64]!r}; there are: {', '.join(TOOLS)}", code="tool_not_found")
        catalog = service.agent.catalog
        return describe(catalog, call(catalog, name, arguments))

    return routes


class ProfileBody(BaseModel):
    """Item ids, oldest first; none in both."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"liked": ["1"], "disliked": ["2"]}]})

    liked: list[ItemId] = Field(default=[], max_length=MOST)
    disliked: list[ItemId] = Field(default=[], max_length=MOST)


class FeedbackBody(BaseModel):
    """For a user, or for a conversation of nobody in particular, by its `session_id`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user": "ann", "item_id": "1", "feedback": "like"}]}
    )

    item_id: ItemId
    feedback: Literal["like", "dislike", "forget"]
    user: str | None = Field(default=None, pattern=ID)
    session_id: str | None = Field(default=None, pattern=ID)


def people_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["people"])
    store, catalog = service.store, service.agent.catalog

    def known(item: str) -> str:
        if catalog.row_of(item) is None:
            raise RefusedError(404, f"no item {item[:64]!r} in this catalog", "item_id", "item_not_found")
        return item

    @routes.get("/v1/users/{user}/profile", summary="Likes and dislikes")
    def read(user: User, request: Request) -> Profile:
        return store.profile(Person.user(caller_of(request).owner, user))

    @routes.put("/v1/users/{user}/profile", summary="Replace likes and dislikes")
    def write(user: User, given: ProfileBody, request: Request) -> Profile:
        both = set(given.liked) & set(given.disliked)
        if both:
            raise RefusedError(400, f"{sorted(both)[0]!r} is both liked and disliked", "disliked")
        profile = Profile(liked=_once(given.liked, known), disliked=_once(given.disliked, known))
        store.put_profile(Person.user(caller_of(request).owner, user), profile)
        return profile

    @routes.delete("/v1/users/{user}/profile", summary="Erase a person")
    def erase(user: User, request: Request) -> dict[str, Any]:
        """Profile, conversations and feedback, out of the tables and out of the files."""
        return {"deleted": True, "rows": service.erase(Person.user(caller_of(request).owner, user))}

    @routes.get("/v1/users/{user}/export", summary="Everything held about a person")
    def export(user: User, request: Request) -> dict[str, Any]:
        return store.export(Person.user(caller_of(request).owner, user))

    @routes.post("/v1/feedback", summary="A like or a dislike, or neither any more")
    def feedback(given: FeedbackBody, request: Request) -> dict[str, Any]:
        owner = caller_of(request).owner
        person = Person.user(owner, given.user) if given.user is not None else None
        if person is None and given.session_id is not None:
            person = store.person_of(owner, given.session_id) or Person.session(owner, given.session_id)
        if person is None:
            raise RefusedError(400, "user or session_id: whose feedback is it?", "user")
        word = None if given.feedback == "forget" else given.feedback
        made, profile = store.add_feedback(person, given.session_id, known(given.item_id), word)
        return {"id": made, "profile": profile.model_dump()}

    return routes


def _once(items: list[str], known: Any) -> list[str]:
    return [known(item) for item in dict.fromkeys(items)]


def probe_routes(service: Service) -> APIRouter:
    routes = APIRouter(tags=["watching"])

    @routes.get("/healthz", summary="The process lives")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz", summary="Catalog, state and model answer", responses={503: {"description": "not yet"}})
    def ready() -> JSONResponse:
        """503 until the model was warmed. `spare` is a model that stands in for its server: ready, and worth a look."""
        parts = {"catalog": _catalog(service), "state": _state(service), "model": _model(service)}
        ok = all(said in ("ok", "spare") for said in parts.values())
        return JSONResponse({"ready": ok, **parts}, 200 if ok else 503)

    @routes.get("/metrics", summary="For Prometheus", response_class=PlainTextResponse)
    def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


def _catalog(service: Service) -> str:
    try:
        service.agent.catalog.document(0)
    except ToolError:
        return "away"
    return "ok"


def _state(service: Service) -> str:
    try:
        service.store.answers()
    except StateError:
        return "away"
    return "ok"


def _model(service: Service) -> Any:
    engine = service.agent.engine
    if not service.warmed:
        return "starting"
    return "spare" if isinstance(engine, FallbackEngine) and engine.circuit.open else "ok"
