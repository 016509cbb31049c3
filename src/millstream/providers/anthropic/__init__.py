"""Anthropic's models, and those of servers that speak its messages API."""

from millstream.providers.anthropic.model import Anthropic, ChatAnthropic

__all__ = ["Anthropic", "ChatAnthropic"]
