"""What tests, the chaos harness and the benchmarks run the system with: real processes, receivers and traffic.

It imports no service and no test.
"""
