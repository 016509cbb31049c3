"""The local models: the engine's pieces as the streams of a chat model and of a text model."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import ConfigError
from millstream.kernel.cancel import Cancellation
from millstream.kernel.host import Emit
from millstream.kernel.scope import Scope
from millstream.language_models import BaseChatModel, BaseLLM
from millstream.messages import BaseMessage
from millstream.providers.local.engine import Engine, Kind, engine_for
from millstream.providers.local.request import chat_request, completion_request
from millstream.providers.local.stream import ChatPieces, parse_completion
from millstream.providers.local.weights import find_model, model_name, shown_name

if TYPE_CHECKING:
    from millstream.language_models.structured import Ways

# Small models do not always find an end.
DEFAULT_MAX_TOKENS = 512

# How llama.cpp picks the next token, under its own names: they are passed on as they are.
SAMPLING = frozenset(
    {"top_p", "top_k", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty"}
)

Take = Callable[[bytes], Any]
# Makes the body of a request for the engine that will run it.
Request = Callable[[Engine], bytes]


class _Local:
    """Which model, loaded how, asked how: what `ChatLocal` and `LocalLLM` share."""

    provider_name: str | None = "llama.cpp"

    # What only a call is given, and no model when it is made.
    _of_calls: frozenset[str] = frozenset()

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        temperature: float | None = None,
        seed: int | None = None,
        stop: Sequence[str] | None = None,
        json_schema: Mapping[str, Any] | None = None,
        context: int = 4096,
        parallel: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = None if model is None else str(model)
        self.context = context
        self.parallel = parallel
        self._defaults = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stop": stop,
            "json_schema": json_schema,
        }

    @property
    def model_name(self) -> str:
        """What the model is called: its known name, or its file's, without folder and ending."""
        return shown_name(self.model)

    def load(self) -> Engine:
        """Load the model now, if it is not loaded yet: the first answer would do that otherwise."""
        path = find_model(self.model)
        name = model_name(self.model)
        return engine_for(path, name=name, context=self.context, parallel=self.parallel)

    def _parameters(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in kwargs.items() if value is not None}
        unknown = given.keys() - self._defaults.keys() - self._of_calls - {"extra"} - SAMPLING
        if unknown:
            known = ", ".join(sorted([*self._defaults, *self._of_calls, *SAMPLING]))
            names = ", ".join(sorted(unknown))
            raise ConfigError(f"The local model takes no {names}. Known: {known}; `extra` takes any field.")
        extra = {name: given.pop(name) for name in SAMPLING & given.keys()} | given.pop("extra", {})
        return {**self._defaults, **given, "extra": extra}

    def _pieces(self, request: Request, kind: Kind, take: Take, scope: Scope) -> AsyncGenerator[Any, None]:
        """What `take` makes of each piece of the answer, where it makes anything."""

        def produce(emit: Emit, cancellation: Cancellation) -> None:
            def on_piece(piece: bytes) -> bool:
                # Asked also for pieces that carry no text: progress on the prompt is a chance to stop.
                if cancellation.reason is None:
                    item = take(piece)
                    if item is not None:
                        emit(item)
                return cancellation.reason is not None

            engine = self.load()
            engine.generate(request(engine), on_piece, kind=kind, wake=cancellation.cancel)

        return scope.here.pump(scope, produce)


class ChatLocal(_Local, BaseChatModel):
    """A chat model on llama.cpp in this process.

    `model` is the path of a GGUF file or a known name; else `MILLSTREAM_MODEL` says, else it is `smollm2`
    (`millstream models add smollm2` installs its weights). It is loaded at the first use, once a process,
    and shared; `parallel` answers are generated at a time, each in a context of `context` tokens, and others
    wait their turn. `max_tokens` (512), `temperature`, `seed`, `stop` and `json_schema` hold for all calls,
    and can be given to a single one. Closing a stream stops the generation within a token.

    `bind_tools` offers it tools. Small models call one only if they have to (`tool_choice="required"`, or a
    tool's name): the beginning of a call is put into their mouth then, and it is held to the tools' schemas.

    Raises `MissingDependency` with the command to run, `ContextLengthError` for a prompt that is too long,
    and `ConfigError` for tools that a model's template has no place for.
    """

    _of_calls = frozenset({"response_format", "tools", "tool_choice", "parallel_tool_calls", "strict"})

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> "Ways":
        from millstream.language_models.structured import answer_tool

        # `strict` says nothing new: llama.cpp writes nothing but what the schema allows.
        return {
            "json_schema": {"json_schema": json_schema},
            "function_calling": answer_tool(json_schema),
            "json_mode": {"response_format": {"type": "json_object"}},
        }

    async def _items(
        self, request: list[BaseMessage], scope: Scope, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        pieces = ChatPieces()
        asked = partial(_chat_for, request, self._parameters(kwargs))
        async with scope.reading(self._pieces(asked, "chat", pieces.feed, scope)) as chunks:
            async for chunk in chunks:
                yield chunk
        yield pieces.last()


class LocalLLM(_Local, BaseLLM):
    """A text model on llama.cpp in this process: it goes on with the prompt. See `ChatLocal`."""

    def _items(self, request: str, scope: Scope, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        body = completion_request(request, **self._parameters(kwargs))
        return self._pieces(lambda engine: body, "completion", parse_completion, scope)


def _chat_for(messages: list[BaseMessage], parameters: dict[str, Any], engine: Engine) -> bytes:
    return chat_request(messages, calling=engine.calling, **parameters)
