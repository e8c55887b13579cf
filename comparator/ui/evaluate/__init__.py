"""The tab that asks models the prompts of a suite and says what came of it."""
