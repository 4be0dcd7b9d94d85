"""`python -m chaos.armed ingest serve`: runs a service with fault injection.

`CRASH_AT`, `CLOCK_FILE`, `POISON_FILE` and `HANG_FILE` enable crash points, a settable clock, poison and zombies. Other
workers take over the work of a killed one after up to 40 s, and an erasure is done after 30 s; `CLAIM_SECONDS`,
`LEASE_SECONDS` and `SETTLE_SECONDS` shorten this, because rounds are shorter. The rows of many leads are stored in
another way than those of a few; rounds have few leads, so `REINSERTED_LEADS` says how many are many. Without any of
these variables the service behaves as usual.
"""

import os
import runpy
import sys
from datetime import timedelta

from admin_service.usecases import erasures
from automation_service.delivery import dispatcher
from chaos import clock, crash_points, hanging, poison
from scoring_service.store import lead_rows
from shared.inbox import doorbell, parking

CLAIM, LEASE, SETTLE = "CLAIM_SECONDS", "LEASE_SECONDS", "SETTLE_SECONDS"
REINSERTED = "REINSERTED_LEADS"
PAUSES = 30
"""The length of a claim, as a multiple of the pause after a failed attempt at an isolated row."""


def main() -> None:
    """Arms this process according to the environment, and runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    if CLAIM in os.environ:
        dispatcher.CLAIM = parking.CLAIM = timedelta(seconds=float(os.environ[CLAIM]))
        parking.PAUSE = parking.CLAIM / PAUSES
    if LEASE in os.environ:
        doorbell.LEASE_MILLISECONDS = int(1000 * float(os.environ[LEASE]))
    if SETTLE in os.environ:
        erasures.SETTLE = timedelta(seconds=float(os.environ[SETTLE]))
        erasures.ORPHANED = 2 * erasures.SETTLE
    if REINSERTED in os.environ:
        lead_rows.MIN_REINSERTED = int(os.environ[REINSERTED])
    clock.arm(os.environ)
    poison.arm(os.environ)
    hanging.arm(os.environ)
    crash_points.arm(os.environ)
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
