"""What a reader must know about the machine and its state to judge a figure."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

OBSERVED_SECONDS = 3.0
QUIET_CORES = 0.2


def busy_cores() -> float:
    """Returns the cores that are busy now; before the system is started, this is the load of others."""
    return float(psutil.cpu_percent(OBSERVED_SECONDS)) / 100 * (psutil.cpu_count() or 1)


def describe(others: float) -> dict[str, Any]:
    """Returns the facts about the machine; `others` is the load of others in cores."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "other_load_cores": round(others, 2),
        "quiet": others <= QUIET_CORES,
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
