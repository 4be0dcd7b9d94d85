"""What takes the place of the ids of an erased lead.

Guarantee: facts with the same time keep their order, which is that of their ids, because scores depend on it. An id of
an event becomes the same everywhere below one pseudonym, so that an entry, its event and the executions still belong
together. Below another pseudonym it becomes another one: an event that is sent again before the servers know of the
erasure, or for another lead, can be erased, too.
"""

import hashlib
import json
import secrets
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

PREFIX = "erased:"
"""The prefix of the ids of erased facts; ingest refuses it."""
RETRACTION = "retraction:"
FACTS = ("EVENT", "ADJUSTMENT")
"""The kinds of the entries that record facts."""

Entry = Mapping[str, Any]
"""A row of the history."""


def new_pseudonym(lead_id: str, partitions: int) -> str:
    """Returns a random pseudonym in the partition of a lead."""
    wanted = zlib.crc32(lead_id.encode()) % partitions
    while True:
        pseudonym = f"erased-{secrets.token_hex(8)}"
        if zlib.crc32(pseudonym.encode()) % partitions == wanted:
            return pseudonym


class NewIds:
    """Gives the ids of one lead their new values. `digest_of` returns the digest of a text."""

    def __init__(self, pseudonym: str, digest_of: Callable[[str], bytes]) -> None:
        self.pseudonym = pseudonym
        self._digest_of = digest_of
        self._facts: dict[str, str] = {}

    def learn(self, entries: Iterable[Entry]) -> None:
        """Ranks the facts among entries that include all facts of each time that occurs."""
        by_time = defaultdict[datetime, list[str]](list)
        for entry in entries:
            if entry["kind"] in FACTS:
                by_time[entry["event_time"]].append(entry["_id"])
        for ids in by_time.values():
            for rank, fact_id in enumerate(sorted(ids)):
                self._facts[fact_id] = self._fact_id(rank, fact_id)

    def of_fact(self, fact_id: str) -> str:
        """Returns the new id of an event or an adjustment; with the first rank if the fact has not been learnt."""
        return self._facts.get(fact_id) or self._fact_id(0, fact_id)

    def of_entry(self, entry: Entry) -> str:
        """Returns the new id of an entry."""
        entry_id, kind = entry["_id"], entry["kind"]
        if kind in FACTS:
            return self.of_fact(entry_id)
        if kind == "RETRACTION":
            return f"{RETRACTION}{self.of_fact(entry_id.removeprefix(RETRACTION))}"
        return f"{kind.lower()}:{entry['sequence']}:{self.pseudonym}"

    def of_execution(self, execution: Mapping[str, Any]) -> str:
        """Returns the new id of an execution, made from its key as automation makes it."""
        event_id = execution["event_id"]
        key = [self.pseudonym, execution["rule_id"], execution["date_bucket"]]
        key += [self.of_fact(event_id)] if event_id else []
        rest = hashlib.blake2b(json.dumps(key).encode(), digest_size=12).hexdigest()
        return f"{zlib.crc32(self.pseudonym.encode()):08x}{rest}"

    def _fact_id(self, rank: int, fact_id: str) -> str:
        return f"{PREFIX}{rank:06}:{self._digest_of(f'{self.pseudonym}:{fact_id}').hex()}"
