"""A server without a model, for what can be shown without one."""

import threading
from collections.abc import Callable


class EndlessServer:
    """Answers every request with pieces until it is told to stop, as the real one does."""

    def __init__(self) -> None:
        self.stopped = 0

    def handle_chat_completions(self, body: bytes, callback: Callable[[bytes], bool]) -> None:
        while not callback(b"{}"):
            pass
        self.stopped += 1


class Gate:
    """An `on_piece` that says when it was reached, and then waits until `wake`."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.wakes = threading.Event()

    def __call__(self, piece: bytes) -> bool:
        self.reached.set()
        assert self.wakes.wait(20)
        return False

    def wake(self) -> None:
        self.wakes.set()
