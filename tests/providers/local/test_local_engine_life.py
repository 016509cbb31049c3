"""Engines from load to exit: shared, closed, forked, silent, and reachable by nobody."""

import contextlib
import gc
import http.client
import os
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_fakes import EndlessServer, Gate

from millstream.errors import Cancelled, MillstreamError, MissingDependency, ModelError
from millstream.providers.local import engine as engine_module
from millstream.providers.local.engine import Engine, engine_for
from millstream.providers.local.weights import find_model

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ANYWHERE = Path("model.gguf")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Let engines get a fake server; the paths that were loaded."""
    loaded: list[Path] = []

    def load(path: Path, **options: Any) -> EndlessServer:
        loaded.append(path)
        return EndlessServer()

    monkeypatch.setattr(engine_module, "_load", load)
    monkeypatch.setattr(engine_module, "_places", {})
    return loaded


class Running:
    """A generation in a thread of its own, begun once it has reached the gate."""

    def __init__(self, engine: Engine, gate: Gate, wake: Callable[[], None] | None = None) -> None:
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.run, args=(engine, gate, wake))
        self.thread.start()
        assert gate.reached.wait(20)

    def run(self, engine: Engine, gate: Gate, wake: Callable[[], None] | None) -> None:
        try:
            engine.generate(b"", gate, wake=wake)
        except MillstreamError as error:
            self.error = error

    def outcome(self) -> BaseException | None:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.error


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = []
    threads = [threading.Thread(target=lambda i=i: results.append(work(i))) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def test_four_threads_load_once(monkeypatch: pytest.MonkeyPatch, loads: list[Path]) -> None:
    load, all_asked = engine_module._load, threading.Barrier(4, timeout=20)
    slow = threading.Event()

    def load_slowly(path: Path, **options: Any) -> Any:
        slow.wait(0.1)
        return load(path, **options)

    monkeypatch.setattr(engine_module, "_load", load_slowly)

    def ask(_: int) -> Engine:
        all_asked.wait()
        return engine_for(ANYWHERE)

    engines = in_threads(4, ask)
    assert len(engines) == 4
    assert len(set(engines)) == 1
    assert len(loads) == 1


def test_other_models_need_not_wait_for_a_load(monkeypatch: pytest.MonkeyPatch, loads: list[Path]) -> None:
    load, both_load = engine_module._load, threading.Barrier(2, timeout=20)

    def load_together(path: Path, **options: Any) -> Any:
        both_load.wait()
        return load(path, **options)

    monkeypatch.setattr(engine_module, "_load", load_together)
    engines = in_threads(2, lambda i: engine_for(Path(f"{i}.gguf")))
    assert len(set(engines)) == 2


def test_options_are_part_of_what_is_shared(loads: list[Path]) -> None:
    first = engine_for(ANYWHERE)
    assert engine_for(ANYWHERE.absolute()) is first
    assert engine_for(ANYWHERE, context=512) is not first
    assert engine_for(ANYWHERE, parallel=1) is not first
    assert engine_for(ANYWHERE, name="other") is not first
    assert (first.name, first.context, first.parallel) == ("model", 4096, 2)


def test_a_load_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch, loads: list[Path]) -> None:
    load = engine_module._load

    def fail(path: Path, **options: Any) -> Any:
        raise ModelError("no")

    monkeypatch.setattr(engine_module, "_load", fail)
    with pytest.raises(ModelError, match="no"):
        engine_for(ANYWHERE)
    monkeypatch.setattr(engine_module, "_load", load)
    assert not engine_for(ANYWHERE).closed


def test_closing_stops_and_wakes_what_generates(loads: list[Path]) -> None:
    engine, gate = engine_for(ANYWHERE), Gate()
    server = engine._server
    running = Running(engine, gate, wake=gate.wake)
    assert engine.close()
    assert type(running.outcome()) is Cancelled
    assert server.stopped == 1
    assert engine.closed
    with pytest.raises(ModelError, match="closed"):
        engine.generate(b"", gate)
    assert engine_for(ANYWHERE) is not engine


def test_closing_does_not_wait_for_ever(loads: list[Path]) -> None:
    engine, gate = engine_for(ANYWHERE), Gate()
    running = Running(engine, gate)
    assert not engine.close(timeout=0.01)
    gate.wake()
    assert type(running.outcome()) is Cancelled


def test_what_a_callback_raises_while_the_engine_closes_is_raised(loads: list[Path]) -> None:
    engine = engine_for(ANYWHERE)

    def close_at_once(piece: bytes) -> bool:
        assert not engine.close(timeout=0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        engine.generate(b"", close_at_once)


def test_an_error_is_freed_without_the_garbage_collector(loads: list[Path]) -> None:
    class Mine(Exception):
        """Exceptions of one's own class can be referred to weakly."""

    raised: list[weakref.ref[Mine]] = []

    def fail(piece: bytes) -> bool:
        error = Mine()
        raised.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        with contextlib.suppress(Mine):
            engine_for(ANYWHERE).generate(b"", fail)
        assert [reference() for reference in raised] == [None]
    finally:
        gc.enable()


def test_nothing_is_loaded_once_the_interpreter_ends(
    monkeypatch: pytest.MonkeyPatch, loads: list[Path]
) -> None:
    monkeypatch.setattr(engine_module, "_exiting", True)
    with pytest.raises(ModelError, match="about to end"):
        engine_for(ANYWHERE)
    assert loads == []


def test_without_xllamacpp_there_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingDependency, match=r"pip install 'millstream\[local\]'"):
        Engine(ANYWHERE, name="any")


@pytest.mark.local
def test_a_file_that_llama_cpp_refuses_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "junk.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelError, match=re.escape(str(path))) as raised:
        engine_for(path)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert capfd.readouterr() == ("", "")


def listening() -> tuple[set[int], set[str]]:
    """The TCP ports and the unix sockets' paths that this process listens on."""
    links = (os.readlink(fd.path) for fd in os.scandir("/proc/self/fd") if os.path.islink(fd.path))
    mine = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in mine:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return ports, {row[7] for row in rows if len(row) > 7 and row[6] in mine}


@pytest.mark.local
@on_linux
def test_no_port_is_open_and_the_socket_is_gone() -> None:
    ports, paths = listening()
    engine = Engine(find_model("smollm2"), name="smollm2", context=256, parallel=1)
    try:
        ports_now, paths_now = listening()
        assert ports_now == ports
        (path,) = paths_now - paths
        assert not os.path.exists(path)
        assert not os.path.exists(os.path.dirname(path))
    finally:
        assert engine.close()


@pytest.mark.local
@on_linux
def test_where_it_has_to_be_a_port_strangers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_SOCKET_PATH_LIMIT", 0)
    ports, _ = listening()
    engine = Engine(find_model("smollm2"), name="smollm2", context=256, parallel=1)
    try:
        (port,) = listening()[0] - ports
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = b'{"prompt":"a","max_tokens":1}'
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 401
        connection.close()
    finally:
        assert engine.close()


BEGIN = """
import os, sys, threading, time
from millstream.errors import ModelError
from millstream.messages import HumanMessage
from millstream.providers.local.engine import Engine, engine_for
from millstream.providers.local.request import chat_request
from millstream.providers.local.weights import find_model

path = find_model("smollm2")
body = chat_request([HumanMessage("Tell a long story.")], extra={"ignore_eos": True})
"""


def run_script(script: str) -> None:
    """Run a program that has to say nothing and end well within 40 seconds, with status 0."""
    ran = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, timeout=40, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"", b"", 0)


@pytest.mark.local
def test_a_program_may_end_while_daemon_threads_generate() -> None:
    run_script(
        """
engine = engine_for(path, context=1024)
pieces, lock = [], threading.Lock()

def generate():
    # Whatever becomes of it: nothing may be printed by a thread that is cut short.
    try:
        engine.generate(body, pieces.append)
    except BaseException:
        pass

# One more than there are slots, so one of them still waits.
for _ in range(3):
    threading.Thread(target=generate, daemon=True).start()
while len(pieces) < 20:
    time.sleep(0.01)
"""
    )


@pytest.mark.local
def test_a_program_may_end_while_a_callback_waits() -> None:
    run_script(
        """
engine = engine_for(path, context=1024)
reached, woken = threading.Event(), threading.Event()

def on_piece(piece):
    reached.set()
    woken.wait()

def generate():
    try:
        engine.generate(body, on_piece, wake=woken.set)
    except BaseException:
        pass

threading.Thread(target=generate, daemon=True).start()
reached.wait()
"""
    )


@pytest.mark.local
def test_an_engine_that_is_dropped_as_soon_as_it_is_loaded_ends() -> None:
    run_script(
        """
for _ in range(6):
    Engine(path, name="smollm2", context=256, parallel=1)
"""
    )


@pytest.mark.local
@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_child_is_told_and_ends() -> None:
    run_script(
        """
import signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)

def refused(work):
    try:
        work()
    except ModelError as error:
        return "forked" in str(error)
    return False

engine = engine_for(path, context=1024)
pieces = []
stop = lambda piece: pieces.append(piece) or len(pieces) > 20
thread = threading.Thread(target=lambda: engine.generate(body, stop))
thread.start()
while len(pieces) < 6:
    time.sleep(0.01)

def status_of_child():
    child = os.fork()
    if child == 0:
        # A child that hangs is killed, and seen by its status.
        signal.alarm(20)
        told = refused(lambda: engine.generate(body, pieces.append)) and refused(lambda: engine_for(path))
        # Through the interpreter's whole teardown, and with a status that only this line can give.
        sys.exit(7 if told else 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

while_it_generates = status_of_child()
thread.join()
assert len(pieces) > 20
while_it_rests = status_of_child()
assert (while_it_generates, while_it_rests) == (7, 7)
"""
    )
