"""What `on_retry` is told, in the shape that handlers know from tenacity."""

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt went: it failed."""

    error: BaseException
    """What it raised."""

    failed: bool = True

    def exception(self) -> BaseException:
        """What it raised."""
        return self.error


class RetryState(msgspec.Struct, frozen=True):
    """An attempt that failed, and is followed by another one."""

    attempt_number: int
    """Which attempt it was, from 1."""
    outcome: Outcome
    """How it went: `outcome.exception()` is what it raised."""
