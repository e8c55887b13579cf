"""Suites as a page runs them: drafts, who may see which, and votes on their answers."""
