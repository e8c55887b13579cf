"""The tab of the models there are."""
