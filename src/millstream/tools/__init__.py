"""Tools: functions that a model may call, with a name, a description and a schema."""

from millstream.errors import ToolException
from millstream.tools.base import BaseTool
from millstream.tools.convert import convert_to_anthropic_tool, convert_to_openai_tool
from millstream.tools.injected import InjectedToolArg
from millstream.tools.structured import StructuredTool, tool

__all__ = [
    "BaseTool",
    "InjectedToolArg",
    "StructuredTool",
    "ToolException",
    "convert_to_anthropic_tool",
    "convert_to_openai_tool",
    "tool",
]
