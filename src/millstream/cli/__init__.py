"""The command line: `millstream chat`, `millstream models`."""
