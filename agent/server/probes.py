"""`/healthz`: the process lives. `/readyz`: catalog, state and model answer. `/metrics`: for Prometheus."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from agent.fallback import FallbackEngine
from agent.server.database import StateError
from agent.server.service import Service
from tools.errors import ToolError


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
