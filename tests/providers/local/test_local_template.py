"""Whether a model's file knows of tools, and what its prompts look like with ours around its own."""

import json
import struct
from pathlib import Path
from typing import Any

import jinja2
import pytest

from millstream.providers.local.gguf import chat_template
from millstream.providers.local.template import CALL_BEGINS, CALL_ENDS, calling, with_tools

OWN = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("own", "how"),
    [
        (None, "none"),
        ("", "none"),
        (OWN, "begun"),
        ("{% if tools %}...{% endif %}" + OWN, "told"),
        ("{% for message in messages %}[INST] {{ message.content }} [/INST]{% endfor %}", "none"),
    ],
)
def test_how_a_model_is_made_to_call(own: str | None, how: str) -> None:
    assert calling(own) == how


def rendered(trimmed: bool, **given: Any) -> str:
    """The prompt. llama.cpp trims blocks; the template is to look the same without that."""
    environment = jinja2.Environment(trim_blocks=trimmed, lstrip_blocks=trimmed)
    environment.filters["tojson"] = json.dumps
    return environment.from_string(with_tools(OWN)).render(add_generation_prompt=True, **given)


HUMAN = {"role": "user", "content": "How warm is it?"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}
CALL = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
RESULT = {"role": "tool", "content": "20 C", "tool_call_id": "1"}


@pytest.mark.parametrize("trimmed", [True, False])
def test_without_tools_the_prompt_is_the_models_own(trimmed: bool) -> None:
    messages = [{"role": "system", "content": "s"}, HUMAN, {"role": "assistant", "content": "Yes."}, HUMAN]
    own = jinja2.Environment().from_string(OWN).render(messages=messages, add_generation_prompt=True)
    assert rendered(trimmed, messages=messages) == own
    assert rendered(trimmed, messages=messages, tools=[]) == own


@pytest.mark.parametrize("trimmed", [True, False])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_tools_stand_behind_the_words_of_the_system(trimmed: bool, system: list[Any]) -> None:
    prompt = rendered(trimmed, messages=[*system, HUMAN], tools=[TOOL, TOOL])
    words = "Be brief." if system else "You are a helpful assistant."
    told = json.dumps(TOOL)
    assert prompt.startswith(f"<|im_start|>system\n{words}\n\nThese tools can be called:\n<tools>\n")
    assert f"<tools>\n{told}\n{told}\n</tools>\n\n" in prompt
    assert prompt.endswith(
        f'{CALL_BEGINS}{{"name": <name>, "arguments": <arguments>}}\n{CALL_ENDS}<|im_end|>\n'
        "<|im_start|>user\nHow warm is it?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt.count("<|im_start|>system") == 1


@pytest.mark.parametrize("trimmed", [True, False])
def test_calls_and_results_are_told_without_tools_too(trimmed: bool) -> None:
    messages = [
        HUMAN,
        {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]},
        RESULT,
        RESULT,
        {"role": "assistant", "content": "Hm.", "tool_calls": [CALL]},
        RESULT,
        {"role": "assistant", "content": "It is warm."},
        HUMAN,
    ]
    call = f'{CALL_BEGINS}{{"name": "weather", "arguments": {{"city": "Rome"}}}}\n{CALL_ENDS}'
    result = "\n<tool_response>\n20 C\n</tool_response>"
    assert rendered(trimmed, messages=messages) == (
        "<|im_start|>user\nHow warm is it?<|im_end|>\n"
        f"<|im_start|>assistant\n{call}\n{call}<|im_end|>\n"
        f"<|im_start|>user{result}{result}<|im_end|>\n"
        f"<|im_start|>assistant\nHm.\n{call}<|im_end|>\n"
        f"<|im_start|>user{result}<|im_end|>\n"
        "<|im_start|>assistant\nIt is warm.<|im_end|>\n"
        "<|im_start|>user\nHow warm is it?<|im_end|>\n<|im_start|>assistant\n"
    )


# --- the file -----------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def gguf(*values: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(values)) + b"".join(values)


VALUES = [
    text("a.number") + struct.pack("<II", 4, 7),
    text("a.flag") + struct.pack("<I?", 7, True),
    text("a.text") + struct.pack("<I", 8) + text("hello"),
    text("some.numbers") + struct.pack("<IIQ", 9, 5, 3) + struct.pack("<3i", 1, 2, 3),
    text("some.texts") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
    text("lists.of.lists") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 8, 1) + text("x"),
]
TEMPLATE = text("tokenizer.chat_template") + struct.pack("<I", 8) + text("{{ 'ü' }}")


def written(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_the_template_is_found_behind_values_of_all_types(tmp_path: Path) -> None:
    assert chat_template(written(tmp_path, gguf(*VALUES, TEMPLATE))) == "{{ 'ü' }}"
    assert chat_template(written(tmp_path, gguf(TEMPLATE, *VALUES))) == "{{ 'ü' }}"


def test_a_file_without_a_template(tmp_path: Path) -> None:
    assert chat_template(written(tmp_path, gguf(*VALUES))) is None
    assert chat_template(tmp_path / "nothing.gguf") is None
    unknown = text("a") + struct.pack("<I", 99)
    assert chat_template(written(tmp_path, gguf(unknown, TEMPLATE))) is None


def test_a_file_that_is_cut_has_none_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = gguf(*VALUES, TEMPLATE)
    for cut in range(len(whole)):
        assert chat_template(written(tmp_path, whole[:cut])) is None


def test_lengths_that_cannot_be(tmp_path: Path) -> None:
    for length in (2**40, 2**63, 2**64 - 1):
        for name in ("a", "tokenizer.chat_template"):
            huge = text(name) + struct.pack("<IQ", 8, length)
            assert chat_template(written(tmp_path, gguf(huge))) is None
        assert chat_template(written(tmp_path, gguf(struct.pack("<Q", length)))) is None
        nested = text("a") + struct.pack("<IIQ", 9, 8, length)
        assert chat_template(written(tmp_path, gguf(nested))) is None
    deep = text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000
    assert chat_template(written(tmp_path, gguf(deep))) is None
