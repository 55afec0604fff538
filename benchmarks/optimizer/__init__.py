"""How good and how fast suggestions are: `python -m benchmarks.optimizer` and `python -m benchmarks.optimizer.latency`."""
