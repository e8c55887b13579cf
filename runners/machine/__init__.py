"""What the machine has: memory, cores, control groups, NVIDIA devices."""
