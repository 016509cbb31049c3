"""What a user's method is given as `run_manager`: LangChain's way to tell it of its run."""

from typing import Any

from millstream.kernel.scope import Nesting, Scope


class RunManager:
    """The run that a tool's or a retriever's method works for."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._scope.run_id

    @property
    def tags(self) -> list[str]:
        """The run's tags."""
        return self._scope.tags

    @property
    def metadata(self) -> dict[str, Any]:
        """The run's metadata."""
        return self._scope.metadata

    def get_child(self, tag: str | None = None) -> Any:
        """The `callbacks` of a config with which a run nests under this one."""
        return Nesting(self._scope)

    def get_sync(self) -> "RunManager":
        """Itself: it is the same in both colours."""
        return self
