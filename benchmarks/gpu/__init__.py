"""What needs a GPU, in one program: ``python -m benchmarks.gpu`` (see ``scripts/gpu_check``)."""
