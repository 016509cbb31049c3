"""Providers: where models come from. Each is a package of its own, and imports no other."""
