"""The processor cores that a process may use."""

import os


def usable_cores(limit: int) -> int:
    """Returns how many cores this process may use, at most `limit`; 1 if the system does not tell."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, limit)
