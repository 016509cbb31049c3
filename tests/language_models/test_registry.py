"""Models by name."""

import pytest

from millstream import ChatLocal, ConfigError, init_chat_model, register_chat_model
from millstream.language_models import registry
from millstream.testing import FakeChatModel


def test_local_is_the_model_in_the_box() -> None:
    assert isinstance(init_chat_model("local"), ChatLocal)
    model = init_chat_model("local:/some/model.gguf", max_tokens=3)
    assert isinstance(model, ChatLocal)
    assert model.model == "/some/model.gguf"


def test_an_unknown_provider_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'nobody'.*Known: .*local"):
        init_chat_model("nobody:model")


def test_providers_can_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PROVIDERS", dict(registry._PROVIDERS))
    register_chat_model("fake", lambda model, **kwargs: FakeChatModel([model or "nothing"], **kwargs))
    assert init_chat_model("fake:hello").invoke("x").content == "hello"
    assert init_chat_model("hello", model_provider="fake", name="mine").get_name() == "mine"
