"""The command line: `millstream chat`, `millstream run`, `millstream models`."""
