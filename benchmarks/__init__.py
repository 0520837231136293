"""Side by side with the peers; `scripts/bench` runs it."""
