"""Text models: a prompt in, pieces of text out."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from millstream.errors import InputError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Single, Source
from millstream.language_models.base import LanguageModel
from millstream.language_models.chat_models import ModelInput
from millstream.messages import PromptValue, convert_to_messages, get_buffer_string


class BaseLLM(LanguageModel[ModelInput, str]):
    """A model that completes a text.

    To write one, write `_stream(self, prompt, **kwargs)`: a generator, `def` or `async def`, that yields
    text; or `_generate(self, prompt, **kwargs)` that returns it. Messages are seen as lines such as
    `Human: ...`.
    """

    _run_type = "llm"

    def _shown_input(self, input: Any) -> Any:
        return {"prompts": [_prompt(input)]}

    def _shown_output(self, output: Any) -> Any:
        generation = {"text": output, "generation_info": None, "type": "Generation"}
        return {"generations": [[generation]], "llm_output": None}

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> str:
        if self._generate is not None and self._stream is not None:
            return _text(await self._whole(_prompt(input), scope, kwargs))
        async with scope.reading(self._transform(Single(input), scope, **kwargs)) as pieces:
            return "".join([piece async for piece in pieces])

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async with scope.reading(source) as inputs:
            input = await scope.gather(inputs)
            if input is NOTHING:
                return
            async with scope.reading(self._items(_prompt(input), scope, kwargs)) as items:
                async for item in items:
                    yield item if type(item) is str else _text(item)


def _prompt(input: Any) -> str:
    if isinstance(input, str):
        return input
    if isinstance(input, PromptValue):
        return input.to_string()
    if isinstance(input, Sequence) or hasattr(input, "content"):
        return get_buffer_string(convert_to_messages(input))
    raise InputError(f"A text model takes text, a prompt's value or messages, not {type(input).__name__}.")


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    raise InputError(f"A text model yields text, not {item!r} ({type(item).__name__}).")
