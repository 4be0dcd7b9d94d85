"""`python -m chaos.armed ingest serve`: a service with crash points, a clock, poison, zombies, and short spans.

What a killed worker leaves behind is taken up by others after half a minute at most. Rounds are shorter than that, so
`CLAIM_SECONDS`, `HEARTBEAT_SECONDS` and `LEASE_SECONDS` shorten it; without them, and without `CRASH_AT`, `CLOCK_FILE`,
`POISON_FILE` and `HANG_FILE`, the service is what it always is.
"""

import os
import runpy
import sys
from datetime import timedelta

from automation_service.delivery import dispatcher
from chaos import clock, crash_points, hanging, poison
from shared.inbox import broker, doorbell, parking

CLAIM, HEARTBEAT, LEASE = "CLAIM_SECONDS", "HEARTBEAT_SECONDS", "LEASE_SECONDS"
PAUSES = 30
"""How often the pause after a failed attempt at a suspect fits into a claim."""


def main() -> None:
    """Arms this process as the environment says, and runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    if CLAIM in os.environ:
        dispatcher.CLAIM = parking.CLAIM = timedelta(seconds=float(os.environ[CLAIM]))
        parking.PAUSE = parking.CLAIM / PAUSES
    if HEARTBEAT in os.environ:
        broker.HEARTBEAT_MILLISECONDS = int(1000 * float(os.environ[HEARTBEAT]))
    if LEASE in os.environ:
        doorbell.LEASE_MILLISECONDS = int(1000 * float(os.environ[LEASE]))
    clock.arm(os.environ)
    poison.arm(os.environ)
    hanging.arm(os.environ)
    crash_points.arm(os.environ)
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
