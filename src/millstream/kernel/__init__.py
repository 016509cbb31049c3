"""The kernel: scopes, cancellation, the two hosts and the two drivers. See `ARCHITECTURE.md`."""
