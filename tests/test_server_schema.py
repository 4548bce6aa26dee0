"""schemathesis over the OpenAPI document: nothing it generates, allowed or not, is answered with a 5xx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.schemas import BaseSchema

from tests.server import WordEngine, running, service_of
from tools.catalog import Catalog

pytestmark = pytest.mark.enable_socket
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def api(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    state: Path = tmp_path_factory.mktemp("state") / "state.db"
    service = service_of(tiny_catalog, WordEngine(), str(state))
    service.warmed = True
    with running(service) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=QUIET)
def test_nothing_the_schema_generates_is_a_5xx(case: Case) -> None:
    assert case.call().status_code < 500


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=1000, deadline=None, suppress_health_check=QUIET)
def test_nothing_of_a_thousand_cases_an_operation_is_a_5xx(case: Case) -> None:
    assert case.call().status_code < 500
