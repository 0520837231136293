"""The faults of `docs/reliability.md`, tried on this package and on its peers; `scripts/faults` runs it."""
