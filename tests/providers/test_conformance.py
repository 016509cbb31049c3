"""Every provider passes the shipped suite: on the real local model, in this process or by HTTP."""

from typing import Any

import pytest

from millstream import (
    AIMessage,
    Anthropic,
    ChatAnthropic,
    ChatLocal,
    ChatOpenAI,
    HumanMessage,
    LocalEmbeddings,
    LocalLLM,
    OpenAI,
    OpenAIEmbeddings,
)
from millstream.testing import (
    ChatModelSuite,
    EmbeddingsSuite,
    FakeChatModel,
    FakeEmbeddings,
    FakeLLM,
    TextModelSuite,
)
from tests.providers.local_server import KEY, MODEL, LocalServer

TOO_LONG = "word " * 3000
# Between all tests in the local model there are 90 seconds.
FEW = 24


class ByHttp:
    """What is asked of the local model's server, by the SDKs."""

    has_key = True
    secret = KEY
    too_long = TOO_LONG
    long_tokens = FEW
    # The model itself never decides to call a tool: its answer is begun for it.
    tool_options: dict[str, Any] = {"stop": ["</tool_call>"]}
    sdk: str
    path = ""
    server: LocalServer

    @pytest.fixture(autouse=True)
    def _server(self, local_server: LocalServer) -> None:
        self.server = local_server

    def options(self, **options: Any) -> dict[str, Any]:
        sdk = pytest.importorskip(self.sdk)
        limits = pytest.importorskip("httpx2").Limits(max_keepalive_connections=0)
        return {
            "model": MODEL,
            "base_url": self.server.url + self.path,
            "api_key": KEY,
            # The server closes connections that it said it would keep.
            "max_retries": 5,
            "http_client": sdk.DefaultHttpxClient(limits=limits),
            **options,
        }

    def tool_question(self) -> list[Any]:
        return [HumanMessage("What is the weather in Oslo?"), AIMessage("<tool_call>\n")]


class OfOpenAI(ByHttp):
    sdk, path = "openai", "/v1"


class OfAnthropic(ByHttp):
    sdk = "anthropic"


@pytest.mark.local
class TestChatOpenAI(OfOpenAI, ChatModelSuite):
    long_tokens = 64

    def make_model(self, **options: Any) -> ChatOpenAI:
        return ChatOpenAI(temperature=0, **self.options(**options))


@pytest.mark.local
class TestChatAnthropic(OfAnthropic, ChatModelSuite):
    has_json = "the local model's server ignores schemas on this wire"

    def make_model(self, **options: Any) -> ChatAnthropic:
        return ChatAnthropic(temperature=0, **self.options(**options))


@pytest.mark.local
class TestOpenAI(OfOpenAI, TextModelSuite):
    def make_model(self, **options: Any) -> OpenAI:
        return OpenAI(temperature=0, **self.options(**options))


@pytest.mark.local
class TestAnthropic(OfAnthropic, TextModelSuite):
    prompt = "Say hello, and who you are."
    long_prompt = "Tell me a long story about a river."
    unicode_prompt = "Write the word fire in Japanese, with emoji 😀."

    def make_model(self, **options: Any) -> Anthropic:
        return Anthropic(temperature=0, **self.options(**options))


@pytest.mark.local
class TestOpenAIEmbeddings(OfOpenAI, EmbeddingsSuite):
    def make_embeddings(self, **options: Any) -> OpenAIEmbeddings:
        return OpenAIEmbeddings(**self.options(**options))


class InProcess:
    """The local model in this process, loaded once for all tests of it."""

    has_key = "it runs in this process"
    too_long = TOO_LONG
    long_tokens = FEW


@pytest.mark.local
@pytest.mark.usefixtures("engine")
class TestChatLocal(InProcess, ChatModelSuite):
    def make_model(self, **options: Any) -> ChatLocal:
        return ChatLocal(temperature=0, context=2048, **options)


@pytest.mark.local
@pytest.mark.usefixtures("engine")
class TestLocalLLM(InProcess, TextModelSuite):
    def make_model(self, **options: Any) -> LocalLLM:
        return LocalLLM(temperature=0, context=2048, **options)


@pytest.mark.local
class TestLocalEmbeddings(EmbeddingsSuite):
    has_key = "they run in this process"

    def make_embeddings(self, **options: Any) -> LocalEmbeddings:
        return LocalEmbeddings(**options)


class Fake:
    """What it is asked is ignored."""

    reports_usage = has_finish_reason = False
    long_tokens = FEW
    has_max_tokens = has_stop = "a fake says what it is told to say"
    has_key = "a fake has none"


class TestFakeChatModel(Fake, ChatModelSuite):
    has_json = has_tools = "a fake says what it is told to say"

    def make_model(self, **options: Any) -> FakeChatModel:
        return FakeChatModel([["Fire ", "is ", "火", " 😀."] * 30], delay=0.0005, **options)


class TestFakeLLM(Fake, TextModelSuite):
    def make_model(self, **options: Any) -> FakeLLM:
        return FakeLLM([["Fire ", "is ", "火", " 😀."] * 30], delay=0.0005, **options)


class TestFakeEmbeddings(EmbeddingsSuite):
    has_key = "a fake has none"

    def make_embeddings(self, **options: Any) -> FakeEmbeddings:
        return FakeEmbeddings(**options)
