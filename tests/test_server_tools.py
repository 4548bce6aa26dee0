"""`/v1/tools`: schemas another model can be handed, and each tool to run; the pages that document all of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import TypeAdapter

from tests.server import Running, WordEngine, running, service_of
from tools.catalog import Catalog
from tools.registry import TOOLS

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def served(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("state") / "state.db"
    with running(service_of(tiny_catalog, WordEngine(), str(state))) as server:
        yield server


def test_the_schemas_are_what_the_openai_client_hands_to_a_model(served: Running) -> None:
    with served.client() as client:
        schemas = client.get("/v1/tools").json()["data"]
    assert [schema["function"]["name"] for schema in schemas] == list(TOOLS)
    TypeAdapter(list[ChatCompletionToolParam]).validate_python(schemas)
    usher = OpenAI(base_url=f"{served.url}/v1", api_key="none")
    assert usher.get("/tools", cast_to=object) == {"object": "list", "data": schemas}


CALLS: dict[str, dict[str, Any]] = {
    "sql_filter": {"where": "'Western' IN genres AND year < 1960"},
    "bm25_search": {"query": "a lighthouse", "k": 3},
    "dense_search": {"query": "letters from the sea", "k": 3},
    "cf_recommend": {"liked": ["2"], "k": 3},
    "similar_items": {"item_id": "2", "k": 3},
    "title_lookup": {"title": "salt raod"},
    "facet_counts": {"column": "genres"},
}


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_runs(served: Running, name: str) -> None:
    with served.client() as client:
        answer = client.post(f"/v1/tools/{name}", json=CALLS[name])
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.text, parse_constant=pytest.fail)
    assert found["count"] > 0
    if name == "facet_counts":
        assert found["counts"][0]["count"] > 0
    else:
        assert {"item_id", "title", "score"} <= set(found["items"][0])


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("sql_filter", {"where": "1=1) UNION SELECT * FROM read_csv('secrets.csv') --"}, 400, "UNION is not allowed"),
        ("sql_filter", {"file": "x"}, 400, "it takes"),
        ("bm25_search", {"query": "x", "k": 10**9}, 400, "k"),
        ("similar_items", {"item_id": "zzzz zzzz"}, 400, "zzzz"),
        ("rm", {}, 404, "there are: sql_filter"),
        ("title_lookup", [], 400, "dict"),
        ("title_lookup", {"title": "\ud800"}, 400, "title"),
        ("title_lookup", {"\ud800": "x"}, 400, ""),
    ],
)
def test_what_a_tool_refuses_is_the_callers_error(
    served: Running, name: str, body: Any, status: int, said: str
) -> None:
    with served.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post(f"/v1/tools/{name}", content=json.dumps(body), headers=headers)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]
    assert "Traceback" not in answer.text


def test_the_openapi_has_an_example_for_every_body(served: Running) -> None:
    with served.client() as client:
        document = client.get("/openapi.json").json()
    paths = {
        "/v1/chat/completions",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/tools",
        "/v1/tools/{name}",
        "/v1/users/{user}/profile",
        "/v1/users/{user}/export",
        "/v1/feedback",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert set(document["paths"]) == paths
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                schema = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                assert content.get("examples") or schema.get("examples"), path


def test_the_page_of_examples_is_whole_and_loads_nothing(served: Running) -> None:
    with served.client() as client:
        document, page = client.get("/openapi.json").json(), client.get("/docs").text
    assert all(
        f"<code>{method.upper()} {path}</code>" in page for path, ms in document["paths"].items() for method in ms
    )
    assert f"curl {served.url}/v1/tools/title_lookup" in page
    assert not re.search(r"<script|<link|src=|@import|url\(", page)
