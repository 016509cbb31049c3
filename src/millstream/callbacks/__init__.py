"""Handlers: objects whose methods are told what happens in a run."""
