"""Agents: a model that may call tools, asked again with what they answer, until it answers itself."""

from millstream.agents.agent import Agent, create_agent

__all__ = ["Agent", "create_agent"]
