"""What is asked: benchmarks as folders below ``tasks/``, and where their data comes from."""
