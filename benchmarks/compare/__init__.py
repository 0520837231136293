"""What each integration keeps of GeekAI's answer; `scripts/compare` runs it."""
