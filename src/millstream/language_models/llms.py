"""Text models: a prompt in, pieces of text out."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from millstream.errors import InputError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Source
from millstream.language_models.base import LanguageModel, estimated_usage
from millstream.language_models.chat_models import ModelInput
from millstream.messages import PromptValue, UsageMetadata, convert_to_messages, get_buffer_string
from millstream.messages.merge_calls import merge_usage
from millstream.outputs import ChatGeneration, Generation, joined_info


class BaseLLM(LanguageModel[ModelInput, str]):
    """A model that completes a text.

    To write one, write `_stream(self, prompt, **kwargs)`: a generator, `def` or `async def`, that yields
    text; or `_generate(self, prompt, **kwargs)` that returns it. Messages are seen as lines such as
    `Human: ...`. Instead of text it may be a `GenerationChunk`: its `generation_info` is what `generate` and
    handlers are told beside the text. `usage_metadata` in there is what the run took, else that is estimated.
    """

    _run_type = "llm"

    def _shown_input(self, input: Any) -> Any:
        return {"prompts": [_prompt(input)]}

    def _shown_output(self, output: Any) -> Any:
        generation = {"text": output, "generation_info": None, "type": "Generation"}
        return {"generations": [[generation]], "llm_output": None}

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> str:
        prompt = _prompt(input)
        said = await self._said(prompt, scope, kwargs)
        text = "".join([item if type(item) is str else _text(item, scope) for item in said])
        _note_usage(scope, len(prompt), len(text))
        return text

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async with scope.reading(source) as inputs:
            input = await scope.gather(inputs)
            if input is NOTHING:
                return
            prompt, said = _prompt(input), 0
            try:
                async with scope.reading(self._items(prompt, scope, kwargs)) as items:
                    async for item in items:
                        text = item if type(item) is str else _text(item, scope)
                        said += len(text)
                        if text or type(item) is str:
                            yield text
            finally:
                _note_usage(scope, len(prompt), said)


def _note_usage(scope: Scope, asked: int, answered: int) -> None:
    """Estimate what the run cost from the numbers of characters, unless the model told it."""
    if scope.usage is None:
        scope.usage = estimated_usage(asked, answered)


def _prompt(input: Any) -> str:
    if isinstance(input, str):
        return input
    if isinstance(input, PromptValue):
        return input.to_string()
    if isinstance(input, Sequence) or hasattr(input, "content"):
        return get_buffer_string(convert_to_messages(input))
    raise InputError(f"A text model takes text, a prompt's value or messages, not {type(input).__name__}.")


def _text(item: Any, scope: Scope) -> str:
    """The text of what the model yielded or returned. What it says beside it is noted in the scope."""
    if isinstance(item, str):
        return item
    if not isinstance(item, Generation) or isinstance(item, ChatGeneration):
        raise InputError(f"A text model yields text, not {item!r} ({type(item).__name__}).")
    info = dict(item.generation_info or {})
    usage = info.pop("usage_metadata", None)
    if usage is not None:
        usages = [each for each in (scope.usage, UsageMetadata.of(usage)) if each is not None]
        scope.usage = merge_usage(usages)
    scope.generation_info = joined_info(scope.generation_info, info)
    return item.text
