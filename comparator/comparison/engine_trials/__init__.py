"""Whether an engine is right on this machine: it is tried before it is believed."""
