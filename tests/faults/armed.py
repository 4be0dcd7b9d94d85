"""`python -m tests.faults.armed ingest serve`: a service with crash points, a clock that can be set, and short spans.

What a killed worker leaves behind is taken up by others after half a minute at most. Rounds are shorter than that, so
`CLAIM_SECONDS` and `HEARTBEAT_SECONDS` shorten it; without them, and without `CRASH_AT` and `CLOCK_FILE`, the service
is what it always is.
"""

import os
import runpy
import sys
from datetime import timedelta

from automation_service import dispatch
from shared import broker
from tests.faults import clock, crash_points

CLAIM, HEARTBEAT = "CLAIM_SECONDS", "HEARTBEAT_SECONDS"


def main() -> None:
    """Arms this process as the environment says, and runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    if CLAIM in os.environ:
        dispatch.CLAIM = timedelta(seconds=float(os.environ[CLAIM]))
    if HEARTBEAT in os.environ:
        broker.HEARTBEAT_MILLISECONDS = int(1000 * float(os.environ[HEARTBEAT]))
    clock.arm(os.environ)
    crash_points.arm(os.environ)
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
