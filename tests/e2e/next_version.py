"""`python -m tests.e2e.next_version scoring serve`: runs a service as a next version of leadscore would run.

Its scoring schema has one more step, and its leads, entries and changes have a field that this version does not know.
`OLDEST` is the oldest schema version that still works after the step.
"""

import os
import runpy
import sys
from typing import Any

from pymongo import ASCENDING

from scoring_service.store import documents, schema
from shared.mongo import Database
from shared.schema_versions import Schema, Step

FIELD = "region"
OLDEST = "NEXT_VERSION_OLDEST"


async def _step(database: Database) -> None:
    await database["leads"].create_index([(FIELD, ASCENDING)], name="by_region", sparse=True)


def _with_field(write: Any) -> Any:
    def written(*arguments: Any) -> Any:
        found = write(*arguments)
        return [each | {FIELD: "eu"} for each in found] if isinstance(found, list) else found | {FIELD: "eu"}

    return written


def main() -> None:
    """Runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    schema.SCHEMA = Schema("scoring", [Step(2, "an index of regions", int(os.environ.get(OLDEST, "1")), _step)])
    for name in ("write_lead", "write_entry", "write_changes"):
        setattr(documents, name, _with_field(getattr(documents, name)))
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
