"""llama.cpp in this process: a model is loaded once and shared, and generates in its caller's thread.

How it works
------------
`xllamacpp.Server` runs llama.cpp's server on threads of its own. `Engine.generate` hands it one request and
calls back with each piece of the answer, from the calling thread. Everything below was measured with
xllamacpp 2026.10:

- *A callback holds nothing up.* The server queues pieces without bound and generates on while a callback
  waits, so a slow reader frees its slot early and never stalls another stream, and how much is queued is
  bounded by `max_tokens` or the context alone.
- *A callback stops its generation by returning True*, within one token, or during the prompt within one
  batch of `BATCH_TOKENS` if the request asks for progress pieces (`request.py` always does). A request that
  waits for a free slot gets no callback, so it cannot be stopped before it has one.
- *What a callback raises is lost*, and Ctrl-C is raised at the start of the first Python function that runs,
  before any `try` in it. So the callback is the `send` of a generator that is suspended inside its `try`
  (`_Call.pump`): whatever happens is kept, stops the generation, and is raised by `generate`.
- *The interpreter may not end while a callback can still come*: the process would abort. `close_all` runs at
  exit, stops all calls and waits for them.
- *A forked child has the server without its threads*: to generate there, to destroy the server and to run
  the library's exit handlers all wait for ever. The child does none of these, and who asks for a model there
  is told so.
- *Loading keeps Python's global lock*: all threads of the program pause for it, about 0.4 s for a model of
  100 MB.
- *A server always listens.* It gets a unix socket in a folder that only this user can enter, and both are
  removed before the first request: nobody can connect, and nothing is left to clean up.
"""

import atexit
import contextlib
import ctypes
import os
import secrets
import tempfile
import threading
import weakref
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from millstream.errors import Cancelled, MissingDependency, ModelError
from millstream.providers.local.gguf import chat_template
from millstream.providers.local.stream import parse_error
from millstream.providers.local.template import Calling, calling, with_tools

#: Takes one piece of an answer, a JSON object as bytes. True stops the generation.
OnPiece = Callable[[bytes], bool]
Kind = Literal["chat", "completion"]

#: Tokens of a prompt between two chances to stop: about 0.6 s of work on two slow cores.
BATCH_TOKENS = 128
#: How many seconds `close` waits for callbacks to return.
CLOSE_SECONDS = 10.0
#: The longest path of a unix socket that all systems take, in bytes.
_SOCKET_PATH_LIMIT = 100


class _Call:
    """One generation under way: where its pieces go, and what came of it."""

    def __init__(self, on_piece: OnPiece, wake: Callable[[], None] | None) -> None:
        self.on_piece = on_piece
        self.wake = wake
        self.cancelled = False
        self.error: BaseException | None = None

    def pump(self) -> Generator[bool, bytes, None]:
        """Take pieces by `send`, and answer whether to stop. Start it with `next`."""
        stop = False
        while True:
            try:
                # Suspended here, inside the `try`, is where a Ctrl-C finds us: see the top of the file.
                piece = yield stop
                stop = self._take(piece)
            except GeneratorExit:
                return
            except BaseException as error:
                self.error = error
                stop = True

    def _take(self, piece: bytes) -> bool:
        if piece.startswith(b'{"error"'):
            raise parse_error(piece)
        return self.cancelled or self.on_piece(piece) or self.cancelled

    def outcome(self) -> BaseException | None:
        """What `generate` has to raise, if anything. Handed over, or call and error would hold each other."""
        error, self.error = self.error, None
        if error is None and self.cancelled:
            return Cancelled("The local model was closed while it generated.")
        return error


class Engine:
    """One model in memory, which generates for up to `parallel` callers at a time; others wait their turn.

    `path` is the GGUF file, `name` what answers call the model, `context` how many tokens one prompt and its
    answer may take together. Raises `MissingDependency` without xllamacpp, `ModelError` if the file cannot be
    loaded. Use `engine_for` to share an engine.
    """

    def __init__(self, path: Path, *, name: str, context: int = 4096, parallel: int = 2) -> None:
        _refuse_after_fork()
        self.path = path
        self.name = name
        self.context = context
        self.parallel = parallel
        self._pid = os.getpid()
        self._calls: set[_Call] = set()
        self._changed = threading.Condition()
        template = chat_template(path)
        #: How this model is made to call tools.
        self.calling: Calling = calling(template)
        # Given to all requests: a request of its own can bring none.
        given = with_tools(template) if template is not None and self.calling == "begun" else ""
        self._server: Any = _load(path, name=name, context=context, parallel=parallel, template=given)
        _engines.add(self)

    @property
    def closed(self) -> bool:
        """Whether the model was unloaded; a closed engine generates no more."""
        return self._server is None

    def generate(
        self, body: bytes, on_piece: OnPiece, *, kind: Kind = "chat", wake: Callable[[], None] | None = None
    ) -> None:
        """Run the request `body` and call `on_piece` with each piece, in this thread, until the answer ends.

        `on_piece` may wait as long as it likes, and stops the generation by returning True. What it raises
        stops it too, and is raised here. `wake` is called from another thread when the engine closes; it
        must make an `on_piece` that waits return.

        Raises `ContextLengthError` for a prompt that is too long, `ModelError` for a request the model
        refuses or after a fork, `Cancelled` if the engine is closed.
        """
        call = _Call(on_piece, wake)
        pump = call.pump()
        next(pump)
        server = handle = None
        try:
            server = self._enter(call)
            handle = server.handle_chat_completions if kind == "chat" else server.handle_completions
            handle(body, pump.send)
        except (ValueError, RuntimeError) as error:
            # A body that is no JSON, lacks its messages, or asks for what the model cannot do.
            raise ModelError(str(error)) from error
        finally:
            # `close` destroys the server when the last call has left, so this one's reference goes first.
            handle = server = None
            self._leave(call)
            pump.close()
        if (outcome := call.outcome()) is not None:
            try:
                raise outcome
            finally:
                # The error's traceback holds this frame: without this, the two keep each other alive.
                del outcome

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Stop all generations, wait for them up to `timeout` seconds, and unload the model.

        Returns whether that was done: False if a callback still has not returned, and the model stays in
        memory. Called from a callback, it would wait for that very callback.
        """
        with self._changed:
            for call in self._calls:
                call.cancelled = True
            wakes = [call.wake for call in self._calls if call.wake is not None]
            server, self._server = self._server, None
        for wake in wakes:
            wake()
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._calls, timeout)
        if not ended:
            _keep_for_good(server)
        return ended

    def forsake(self) -> None:
        """In a forked child: never touch the server again, not even to destroy it."""
        _keep_for_good(self._server)
        self._changed = threading.Condition()
        self._calls = set()

    def _enter(self, call: _Call) -> Any:
        if self._pid != os.getpid():
            raise _forked()
        with self._changed:
            if self._server is None:
                raise ModelError("The local model was closed.")
            self._calls.add(call)
            return self._server

    def _leave(self, call: _Call) -> None:
        with self._changed:
            self._calls.discard(call)
            self._changed.notify_all()


class _Place:
    """Where an engine is kept for one model and its options; `lock` is held while it loads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.engine: Engine | None = None


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_places: dict[tuple[Path, str, int, int], _Place] = {}
_places_lock = threading.Lock()
_loaded_by: int | None = None
_exiting = False


def engine_for(path: Path, *, name: str | None = None, context: int = 4096, parallel: int = 2) -> Engine:
    """The engine for this file and these options, loaded by the first who asks and shared by all.

    `name` is the file's stem unless given. Two threads that ask at once load once. Raises as `Engine` does; a
    load that failed is tried again at the next call.
    """
    key = (path.resolve(), name or path.stem, context, parallel)
    with _places_lock:
        if _exiting:
            raise ModelError("The interpreter is about to end, and loads no more models.")
        place = _places.setdefault(key, _Place())
    with place.lock:
        if place.engine is None or place.engine.closed:
            place.engine = Engine(key[0], name=key[1], context=context, parallel=parallel)
        return place.engine


def close_all() -> None:
    """Close every engine of this process; `engine_for` loads anew. Runs at exit by itself."""
    for engine in list(_engines):
        if not engine.closed:
            engine.close()


def _at_exit() -> None:
    global _exiting
    with _places_lock:
        _exiting = True
        places = list(_places.values())
    for place in places:
        # A daemon thread may be loading: its engine has to be closed as well.
        if place.lock.acquire(timeout=CLOSE_SECONDS):
            place.lock.release()
    close_all()


def _load(path: Path, *, name: str, context: int, parallel: int, template: str) -> Any:
    global _loaded_by
    try:
        # By name: the package's own names come from a compiled module that no type checker can read.
        xllamacpp: Any = import_module("xllamacpp")
    except ImportError as error:
        raise MissingDependency("xllamacpp", command="pip install 'millstream[local]'") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    # A set: a plain string would be taken for a set of letters, and without one the answers name the path.
    params.model_alias = {name}
    # One core is left to the rest of the program: its threads spin while they wait for each other, and on a
    # core that is shared with other work each token then takes many times as long.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    # The server divides its context among the slots.
    params.n_ctx, params.n_parallel = context * parallel, parallel
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    # Prompts of the past would otherwise be kept in up to 8 GiB of memory; each slot still keeps its last.
    params.cache_ram_mib = 0
    params.verbosity = -1
    # Empty stands for the file's own.
    params.chat_template = template
    # The first request below does that, too.
    params.warmup = False
    _loaded_by = os.getpid()
    with tempfile.TemporaryDirectory(prefix="millstream-", ignore_cleanup_errors=True) as folder:
        _listen_privately(params, folder)
        try:
            server = xllamacpp.Server(params)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"llama.cpp cannot load {path}: {error}") from error
    # A server that is destroyed before its loop has begun never ends: it is begun once it has answered.
    server.handle_completions(b'{"prompt":"a","max_tokens":1,"stream":true}', lambda piece: False)
    return server


def _listen_privately(params: Any, folder: str) -> None:
    params.n_threads_http = 1
    params.api_keys = [secrets.token_urlsafe(32)]
    # The ending is what makes llama.cpp take a host name for the path of a unix socket. Where there are none
    # it listens on a port of this machine, to requests with the key.
    path = os.path.join(folder, "llama.sock")
    if os.name == "posix" and len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
        params.hostnames = [path]


def _keep_for_good(server: Any) -> None:
    # One reference too many, so that no teardown of the interpreter runs the destructor.
    if server is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(server))


def _forked() -> ModelError:
    return ModelError(
        "The local model was loaded before this process was forked, and does not work in the child. Load it "
        'in the child only, or start processes by "spawn".'
    )


def _refuse_after_fork() -> None:
    if _loaded_by is not None and _loaded_by != os.getpid():
        raise _forked()


def _after_fork_in_child() -> None:
    global _places_lock
    _places_lock = threading.Lock()
    # Before anything lets go of them: to destroy a server here would wait for ever.
    for engine in list(_engines):
        engine.forsake()
    _engines.clear()
    _places.clear()
    if _loaded_by is not None:
        # Registered last, it runs first: ends the process with its status before any handler can wait. By
        # then Python has flushed its files. Where the C library has no `on_exit`, a child needs `os._exit`.
        libc = ctypes.CDLL(None)
        if hasattr(libc, "on_exit"):
            libc.on_exit(libc._exit, None)


atexit.register(_at_exit)
with contextlib.suppress(AttributeError):
    # There is no fork on Windows.
    os.register_at_fork(after_in_child=_after_fork_in_child)
