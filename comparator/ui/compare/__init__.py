"""The tab that asks and shows answers side by side."""
