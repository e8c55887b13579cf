"""The tab of the comparisons that were asked before."""
