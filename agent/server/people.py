"""A person's likes and dislikes, everything held about them, and feedback on items."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from agent.memory import Profile
from agent.server.access import caller_of
from agent.server.formats import ID
from agent.server.problems import Problem
from agent.server.service import Service, whose
from agent.server.store import Person

MOST = 5000  # likes and dislikes of one profile

User = Annotated[str, Path(pattern=ID, description="the user, as in the chat request's field `user`")]
ItemId = Annotated[str, Field(max_length=256)]


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
            raise Problem(404, f"no item {item[:64]!r} in this catalog", "item_id", "item_not_found")
        return item

    @routes.get("/v1/users/{user}/profile", summary="Likes and dislikes")
    def read(user: User, request: Request) -> Profile:
        return store.profile(Person.user(caller_of(request).owner, user))

    @routes.put("/v1/users/{user}/profile", summary="Replace likes and dislikes")
    def write(user: User, given: ProfileBody, request: Request) -> Profile:
        both = set(given.liked) & set(given.disliked)
        if both:
            raise Problem(400, f"{sorted(both)[0]!r} is both liked and disliked", "disliked")
        profile = Profile(liked=_once(given.liked, known), disliked=_once(given.disliked, known))
        store.put_profile(Person.user(caller_of(request).owner, user), profile)
        return profile

    @routes.delete("/v1/users/{user}/profile", summary="Erase a person")
    def erase(user: User, request: Request) -> dict[str, Any]:
        """Profile, conversations and feedback, out of the tables and out of the files."""
        person = Person.user(caller_of(request).owner, user)
        gone = store.erase(person)
        service.recall.forget(whose(person.owner, person))
        return {"deleted": True, "rows": gone}

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
            raise Problem(400, "user or session_id: whose feedback is it?", "user")
        word = None if given.feedback == "forget" else given.feedback
        made, profile = store.add_feedback(person, given.session_id, known(given.item_id), word)
        return {"id": made, "profile": profile.model_dump()}

    return routes


def _once(items: list[str], known: Any) -> list[str]:
    return [known(item) for item in dict.fromkeys(items)]
