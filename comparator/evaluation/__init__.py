"""Which model to keep: suites of prompts, assertions, judges, votes, and what figures can tell."""
