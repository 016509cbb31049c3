"""Anthropic's messages API: requests from messages, and chunks from the bytes of an answer."""
