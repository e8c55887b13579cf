"""What the comparator can do, one noun a module. Nothing here knows the page."""
