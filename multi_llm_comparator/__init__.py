"""The import paths of the API document; every name is the object of ``comparator``."""
