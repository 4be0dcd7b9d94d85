"""The table of faults, by theme; importing this package fills `chaos.fault.FAULTS`."""

from chaos.faults import (
    clocks,
    crashes,
    heavy,
    heavy_leads,
    mongo,
    network,
    parking,
    processes,
    receivers,
    redis,
    zombies,
)

__all__ = [
    "clocks",
    "crashes",
    "heavy",
    "heavy_leads",
    "mongo",
    "network",
    "parking",
    "processes",
    "receivers",
    "redis",
    "zombies",
]
