"""The reference shows every public name, and every page of the site can be reached.

The pages of the reference are read as mkdocstrings reads them, statically and with the options of
`mkdocs.yml`, but nothing is rendered: the strict build of `make check` does that.
"""

import importlib
import inspect
import re
from functools import cache
from typing import Any

import griffe
import pytest

import millstream
from tests.docs.test_code_blocks import ROOT

DOCS = ROOT / "docs"
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
_DIRECTIVE = re.compile(r"^::: (millstream[\w.]*)$", re.MULTILINE)
# What users import from its own module, and what only they see who look closer.
MORE = {"millstream.testing"}


@cache
def package() -> Any:
    """The package as griffe sees it, with the extension of the site."""
    extensions = griffe.load_extensions(str(DOCS / "reference" / "structs.py"))
    loader = griffe.GriffeLoader(search_paths=[ROOT / "src"], extensions=extensions, allow_inspection=False)
    loader.load("millstream")
    loader.resolve_aliases(implicit=False)
    return loader.modules_collection["millstream"]


def found(path: str) -> Any:
    """The module, class or such at a path."""
    inside = path.partition(".")[2]
    return package()[inside] if inside else package()


@cache
def shown() -> dict[str, Any]:
    """What the pages of the reference show at their top level: the canonical path of each, and its object."""
    objects: dict[str, Any] = {}
    for page in (DOCS / "reference").glob("*.md"):
        for path in _DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            thing = found(path)
            members = thing.members.values() if thing.is_module else [thing]
            for member in members:
                # As the option `filters: public` chooses, and `show_if_no_docstring: false`.
                if (not thing.is_module or member.is_public) and member.has_docstring:
                    objects[member.canonical_path] = member
    return objects


def public_names() -> list[tuple[str, str]]:
    """Every public name, and the module whose `__all__` names it."""
    names = [(name, f"millstream.{home}") for name, home in millstream._HOME.items()]
    for module in MORE:
        names += [(name, module) for name in importlib.import_module(module).__all__]
    return names


@pytest.mark.parametrize(("name", "module"), public_names())
def test_every_public_name_is_in_the_reference(name: str, module: str) -> None:
    assert found(f"{module}.{name}").canonical_path in shown(), (
        f"{module}.{name} is on no page of docs/reference: its module has no page, or it has no docstring"
    )


def test_every_public_module_has_a_page() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    modules = {module for _, module in public_names()}
    assert modules <= set(_DIRECTIVE.findall(pages))


def by_place_and_by_name(kinds: dict[str, str]) -> tuple[list[str], set[str]]:
    """What may be given by place, in order, and what by name only, which msgspec sorts in its own way."""
    by_place = [name for name, kind in kinds.items() if kind.startswith("positional")]
    return by_place, kinds.keys() - by_place


@pytest.mark.parametrize(
    "path",
    [
        "millstream.messages.AIMessageChunk",
        "millstream.messages.ToolMessage",
        "millstream.messages.UsageMetadata",
        "millstream.runnables.Run",
        "millstream.prompts.ChatMessagePromptTemplate",
        "millstream.prompts.HumanMessagePromptTemplate",
        "millstream.providers.local.ChatLocal",
        "millstream.testing.FakeChatModel",
    ],
)
def test_a_class_is_shown_as_it_is_made(path: str) -> None:
    module, _, name = path.rpartition(".")
    shown_as = {each.name: each.kind.value for each in found(path).parameters if each.name != "self"}
    signature = inspect.signature(getattr(importlib.import_module(module), name))
    made = {each.name: each.kind.description for each in signature.parameters.values()}
    assert by_place_and_by_name(shown_as) == by_place_and_by_name(made)


def test_fields_and_verbs_have_a_text() -> None:
    chunk = found("millstream.messages.AIMessageChunk")
    assert str(chunk.all_members["tool_calls"].annotation) == "list[ToolCall]"
    for name in millstream.AIMessageChunk.__struct_fields__:
        assert chunk.all_members[name].has_docstring, name
    runnable = found("millstream.runnables.Runnable")
    for name, member in vars(millstream.Runnable).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert runnable.members[name].has_docstring, name
    assert runnable.members["stream"].parameters["input"].annotation is not None


def test_what_is_shared_by_a_hidden_class_is_shown_at_the_public_one() -> None:
    template = found("millstream.prompts.HumanMessagePromptTemplate")
    assert {"from_template", "format"} <= template.members.keys()
    assert [str(base) for base in template.bases] == ["BaseMessagePromptTemplate"]
    assert "load" in found("millstream.providers.local.ChatLocal").members


def test_every_page_is_in_the_navigation() -> None:
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    named = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", CONFIG.partition("\nnav:\n")[2], re.MULTILINE)
    assert sorted(named) == sorted(there)


def test_the_site_reads_the_reference_as_these_tests_do() -> None:
    options = (
        "filters: public",
        "show_if_no_docstring: false",
        "allow_inspection: false",
        "extensions: [docs/reference/structs.py]",
    )
    assert [option for option in options if f"            {option}\n" not in CONFIG] == []
