"""OpenAI's wire, which many servers speak: what is asked and what is answered, as pure functions."""
