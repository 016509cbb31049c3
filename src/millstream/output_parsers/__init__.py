"""Parsers: what a model said, as the program wants it."""

from millstream.output_parsers.base import BaseOutputParser
from millstream.output_parsers.json import JsonOutputParser, PydanticOutputParser
from millstream.output_parsers.lists import (
    CommaSeparatedListOutputParser,
    ListOutputParser,
    MarkdownListOutputParser,
    NumberedListOutputParser,
)
from millstream.output_parsers.string import StrOutputParser
from millstream.output_parsers.xml import XMLOutputParser

__all__ = [
    "BaseOutputParser",
    "CommaSeparatedListOutputParser",
    "JsonOutputParser",
    "ListOutputParser",
    "MarkdownListOutputParser",
    "NumberedListOutputParser",
    "PydanticOutputParser",
    "StrOutputParser",
    "XMLOutputParser",
]
