"""A key that a function gives: in both colours, anew for each request, and never shown."""

import traceback
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from millstream import AuthenticationError, ChatOpenAI, ConfigError, ProviderUnavailable
from millstream.testing import Reply, ScriptedServer
from tests.conftest import Colour
from tests.providers.wires import KEY, OPENAI


def test_a_function_gives_a_key_for_each_request(colour: Colour) -> None:
    keys: Iterator[str] = iter(["first-of-keys", "second-of-keys"])
    with ScriptedServer([Reply.json(OPENAI.whole("Hello"))]) as server:
        model = OPENAI.on(server.url, api_key=lambda: next(keys))
        for _ in range(2):
            assert colour.invoke(model, "hi").text == "Hello"
        sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first-of-keys", "Bearer second-of-keys"]


def test_an_async_function_gives_one_to_async_verbs(colour: Colour) -> None:
    async def key() -> str:
        return "key-of-a-function"

    with ScriptedServer([Reply.json(OPENAI.whole("Hello"))]) as server:
        model = OPENAI.on(server.url, api_key=key)
        if colour.name == "async":
            assert colour.invoke(model, "hi").text == "Hello"
            assert server.requests[0].headers["authorization"] == "Bearer key-of-a-function"
        else:
            with pytest.raises(ConfigError, match="async function"):
                colour.invoke(model, "hi")


@pytest.mark.parametrize("given", [KEY, lambda: KEY], ids=["text", "function"])
def test_it_is_not_shown(given: Any, colour: Colour) -> None:
    refusal = Reply.json(OPENAI.refusal(f"No such key: {KEY}", "no"), status=401)
    with ScriptedServer([refusal]) as server:
        for verb in (colour.invoke, colour.stream):
            with pytest.raises(AuthenticationError, match=r"No such key: \[key\]") as caught:
                verb(ChatOpenAI(base_url=server.url, api_key=given), "hi")
            assert KEY not in "".join(traceback.format_exception(caught.value))


def test_an_error_without_its_request_is_translated_all_the_same(colour: Colour) -> None:
    def broken(request: object) -> None:
        raise httpx2.ReadError("The hook read nothing.")

    async def abroken(request: object) -> None:
        broken(request)

    if colour.name == "async":
        http: Any = httpx2.AsyncClient(event_hooks={"request": [abroken]})
        options = {"http_async_client": http}
    else:
        http = httpx2.Client(event_hooks={"request": [broken]})
        options = {"http_client": http}
    with pytest.raises(ProviderUnavailable, match="The hook read nothing"):
        colour.invoke(OPENAI.on("http://127.0.0.1:1", **options), "hi")
    if colour.name != "async":
        http.close()
