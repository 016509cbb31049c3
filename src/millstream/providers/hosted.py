"""What the models of all providers that are asked over a connection share."""

from __future__ import annotations

from typing import Any

from millstream.kernel.scope import Scope
from millstream.language_models.base import LanguageModel


class Hosted(LanguageModel[Any, Any]):
    """A model that is known by its name, and can be asked for a whole answer as well as for a stream."""

    model: str
    """The model's name, as the provider has it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    @property
    def model_name(self) -> str:
        """The model's name: LangChain's word for `model`."""
        return self.model

    async def _said(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> list[Any]:
        if self.streaming:
            return await super()._said(request, scope, kwargs)
        return [await self._asked_whole(request, scope, kwargs)]

    async def _asked_whole(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        """The answer to a request that asks for it whole."""
        raise NotImplementedError
