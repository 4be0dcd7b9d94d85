"""The table of faults, by theme; importing this package fills `tests.faults.fault.FAULTS`."""

from tests.faults.faults import clocks, crashes, heavy, mongo, network, parking, processes, receivers, redis

__all__ = ["clocks", "crashes", "heavy", "mongo", "network", "parking", "processes", "receivers", "redis"]
