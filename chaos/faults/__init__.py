"""The table of faults, by theme; importing this package fills `chaos.fault.FAULTS`."""

from chaos.faults import (
    clocks,
    crashes,
    erasures,
    heavy,
    heavy_leads,
    maintenance,
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
    "erasures",
    "heavy",
    "heavy_leads",
    "maintenance",
    "mongo",
    "network",
    "parking",
    "processes",
    "receivers",
    "redis",
    "zombies",
]
