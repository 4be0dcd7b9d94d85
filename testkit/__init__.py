"""Runs the system for tests, the fault harness and benchmarks: real processes, receivers and traffic.

It imports no service and no test.
"""
