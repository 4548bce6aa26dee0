"""The chat paths as the official `openai` client uses them, against a real server."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.server import Running, WordEngine, running, service_of
from tools.catalog import Catalog

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def served(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("state") / "state.db"
    with running(service_of(tiny_catalog, WordEngine(), str(state))) as server:
        yield server


@pytest.fixture
def client(served: Running) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def test_a_reply_has_the_openai_form_and_carries_the_turn(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="usher", messages=[{"role": "user", "content": "a comedy"}])
    (choice,) = answer.choices
    turn = answer.usher  # type: ignore[attr-defined]
    assert choice.finish_reason == "stop"
    assert choice.message.content == turn["reply"]
    assert len(turn["items"]) == 5
    assert turn["plan"]["calls"] == [{"tool": "sql_filter", "where": "'Comedy' IN genres"}]
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens > 10
