"""Templates: how messages become the text that a model goes on with, and how it is told of tools there.

Each GGUF file brings a template, in Jinja, which llama.cpp runs. Those of small models often know nothing of
tools: whatever is offered is left out without a word. If such a one writes turns as ChatML does
(`<|im_start|>role ... <|im_end|>`), it is put into one of ours (`with_tools`), which takes over where there
are tools, or earlier calls and their results, to be told of; everything else is as the model's own has it.

In ours, tools are JSON between `<tools>` tags in the system's turn, a call is JSON between `<tool_call>`
tags, and a result stands between `<tool_response>` tags in the user's turn. Many models were trained on this
form, and llama.cpp finds out by itself how to read a call in it.
"""

from typing import Literal

#: How a model is made to call a tool: "begun", its call is begun for it, as the template is ours; "told", its
#: own template tells it of tools; "none", it cannot be told.
Calling = Literal["begun", "told", "none"]

#: How a call begins and ends in our template.
CALL_BEGINS = "<tool_call>\n"
CALL_ENDS = "</tool_call>"

_HEAD = r"""
{%- set seen = namespace(calls=false) -%}
{%- for message in messages -%}
    {%- if message.tool_calls or message.role == 'tool' -%}{%- set seen.calls = true -%}{%- endif -%}
{%- endfor -%}
{%- if tools or seen.calls -%}
    {%- set told = messages[0].role == 'system' -%}
    {%- if told or tools -%}
        {{- '<|im_start|>system\n' -}}
        {{- messages[0].content if told else 'You are a helpful assistant.' -}}
        {%- if tools -%}
            {{- '\n\nThese tools can be called:\n<tools>' -}}
            {%- for tool in tools -%}{{- '\n' -}}{{- tool | tojson -}}{%- endfor -%}
            {{- '\n</tools>\n\nA call is the name of a tool and its arguments, as JSON between tags:\n' -}}
            {{- '<tool_call>\n{"name": <name>, "arguments": <arguments>}\n</tool_call>' -}}
        {%- endif -%}
        {{- '<|im_end|>\n' -}}
    {%- endif -%}
    {%- for message in messages -%}
        {%- if message.role == 'system' and loop.first -%}
        {%- elif message.role == 'tool' -%}
            {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}
                {{- '<|im_start|>user' -}}
            {%- endif -%}
            {{- '\n<tool_response>\n' -}}{{- message.content -}}{{- '\n</tool_response>' -}}
            {%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}
                {{- '<|im_end|>\n' -}}
            {%- endif -%}
        {%- else -%}
            {{- '<|im_start|>' -}}{{- message.role -}}{{- '\n' -}}
            {%- if message.content -%}{{- message.content -}}{%- endif -%}
            {%- for call in message.tool_calls or [] -%}
                {%- if message.content or not loop.first -%}{{- '\n' -}}{%- endif -%}
                {{- '<tool_call>\n{"name": ' -}}{{- call.function.name | tojson -}}
                {{- ', "arguments": ' -}}{{- call.function.arguments | tojson -}}{{- '}\n</tool_call>' -}}
            {%- endfor -%}
            {{- '<|im_end|>\n' -}}
        {%- endif -%}
    {%- endfor -%}
    {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
{%- else -%}
"""
_TAIL = "{%- endif -%}"


def calling(own: str | None) -> Calling:
    """How the model of this template is made to call tools."""
    if own is None:
        return "none"
    if "tools" in own:
        return "told"
    return "begun" if "<|im_start|>" in own and "<|im_end|>" in own else "none"


def with_tools(own: str) -> str:
    """The template that takes over from a model's own where tools are to be told of."""
    return f"{_HEAD}{own}{_TAIL}"
