"""schemathesis over the OpenAPI document: nothing it generates is answered with a 5xx."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.core.result import Err, Ok
from schemathesis.schemas import BaseSchema

from tests.server import WordEngine, running, service_of
from tools.catalog import Catalog

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def api(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    state: Path = tmp_path_factory.mktemp("state") / "state.db"
    service = service_of(tiny_catalog, WordEngine(), str(state))
    service.warmed = True
    with running(service) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def ok(operation: Ok[Any] | Err[Any]) -> Any:
    assert isinstance(operation, Ok)
    return operation.ok()


@pytest.mark.parametrize("examples", [10, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_the_schema_generates_is_a_5xx(api: BaseSchema, examples: int) -> None:
    tried = set()
    for operation in api.get_all_operations():

        @given(case=ok(operation).as_strategy())
        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        def call(case: Case[Any]) -> None:
            tried.add(case.path)
            assert case.call().status_code < 500

        call()
    assert tried >= {"/v1/chat/completions", "/v1/tools/{name}", "/v1/feedback", "/v1/users/{user}/profile"}
