"""Models of the Hugging Face Hub: search, what to fetch of a repository, and fetching it."""
