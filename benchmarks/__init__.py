"""`make bench`: measures the whole system, each figure beside a reference of the same run. See docs/benchmarks.md."""
