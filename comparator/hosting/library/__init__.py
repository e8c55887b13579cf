"""The library as a page shows it, and what may be done there."""
