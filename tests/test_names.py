"""The public names: where they live, that they load lazily, and that nothing else comes along."""

import importlib
import subprocess
import sys

import pytest

import millstream


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", millstream._HOMES)
def test_the_table_holds_what_the_modules_export(module: str) -> None:
    theirs = set(importlib.import_module(f"millstream.{module}").__all__)
    ours = set(millstream._HOMES[module].split())
    elsewhere = {name for name, home in millstream._HOME.items() if home != module}
    assert ours == theirs - elsewhere


@pytest.mark.parametrize("name", millstream.__all__)
def test_every_name_is_importable_from_the_top(name: str) -> None:
    module = importlib.import_module(f"millstream.{millstream._HOME[name]}")
    assert getattr(millstream, name) is getattr(module, name)
    assert name in dir(millstream)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="RunnableLambada"):
        millstream.RunnableLambada  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, millstream\n"
        "millstream.ChatPromptTemplate, millstream.StrOutputParser, millstream.RunnableParallel\n"
        "millstream.BaseChatModel, millstream.ChatLocal, millstream.init_chat_model\n"
        "millstream.OpenTelemetryTracer\n"
        "heavy = {'asyncio', 'pydantic', 'xllamacpp', 'rich', 'typer', 'openai'}\n"
        "heavy |= {'numpy', 'faiss', 'wordllama', 'opentelemetry'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert run(program) == "[]"


def test_a_sync_chain_needs_no_asyncio() -> None:
    program = (
        "import sys\n"
        "from millstream import RunnableLambda, RunnableParallel\n"
        "chain = RunnableLambda(str.upper) | RunnableParallel(a=lambda x: x, b=lambda x: x * 2)\n"
        "assert list(chain.stream('x')) and chain.batch(['x', 'y'])\n"
        "print('asyncio' in sys.modules)"
    )
    assert run(program) == "False"
