"""Parsers: what a model said, as the program wants it."""

from millstream.output_parsers.base import BaseOutputParser
from millstream.output_parsers.string import StrOutputParser

__all__ = ["BaseOutputParser", "StrOutputParser"]
