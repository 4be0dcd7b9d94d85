"""Measures files: reading and mapping an export of Segment, sending it to an idle ingest server, exporting leads."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from pymongo import MongoClient

from benchmarks.harness import reference
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, at_least, at_most
from benchmarks.harness.running import Running
from benchmarks.ingest import ingest_alone

SEGMENT_BYTES = 300_000_000
MAX_EXPORT_SECONDS = 120
LEADS = 1_000_000
SAMPLE_SECONDS = 0.2


def imports(running: Running, options: Options) -> Iterator[Figure]:
    """Measures `leadscore ingest` of an export of Segment: a dry run, and sending it to a server without workers."""
    with TemporaryDirectory(prefix="leadscore-bench-", dir=options.directory) as directory:
        file = Path(directory) / "segment.ndjson"
        messages = write_segment(file, options.sized(SEGMENT_BYTES))
        size = f"{file.stat().st_size / 1e6:,.0f} MB of Segment NDJSON"
        dry, _ = _timed("ingest", str(file), "--format", "segment", "--dry-run", "--base-port", _base_port(running))
        yield Figure(f"reading and mapping {size}", "events/s", [messages / dry], goal=at_least(40_000))
        with ingest_alone(running) as server:
            port = server.target.rpartition(":")[2]
            sending, peak = _timed("ingest", str(file), "--format", "segment", "--history", "--base-port", port)
            _check_stored(server.mongo_uri, messages)
    note = f"{peak:.0f} MB resident at most"
    yield Figure(f"importing {size}", "events/s", [messages / sending], goal=at_least(10_000), note=note)


def exports(running: Running, options: Options) -> Iterator[Figure]:
    """Measures `leadscore export leads` of all leads of the system."""
    running.settle()
    with TemporaryDirectory(prefix="leadscore-bench-", dir=options.directory) as directory:
        file = Path(directory) / "leads.ndjson"
        took, peak = _timed("export", "leads", "-o", str(file), "--base-port", _base_port(running))
        with file.open("rb") as stream:
            leads = sum(1 for _ in stream)
    goal = at_most(MAX_EXPORT_SECONDS) if leads > LEADS * 0.99 else None
    yield Figure(f"exporting {leads:,} leads", "s", [took], goal=goal, note=f"{peak:.0f} MB resident at most")


def write_segment(file: Path, size: int) -> int:
    """Writes at least `size` bytes of messages as Segment exports them, and returns their number."""
    written = count = 0
    with file.open("w", encoding="utf-8") as stream:
        while written < size:
            written += stream.write(json.dumps(_message(count)) + "\n")
            count += 1
    return count


def _base_port(running: Running) -> str:
    return running.targets["ingest"].rpartition(":")[2]


def _message(number: int) -> dict[str, object]:
    lead = number % 20_000
    time_ = f"2026-{number % 9 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00.{number % 1000:03}Z"
    return {
        "messageId": f"ajs-next-{number:09}-0c6b3f9a4d1e",
        "type": "track",
        "event": ("Demo Requested", "Page Viewed", "Signed Up", "Report Downloaded")[number % 4],
        "userId": f"user-{lead}",
        "anonymousId": f"5f0e1c9b-7d2a-4c8e-9b61-{lead:012}",
        "timestamp": time_,
        "sentAt": time_,
        "receivedAt": time_,
        "originalTimestamp": time_,
        "channel": "client",
        "version": 2,
        "writeKey": "wk_1234567890",
        "properties": {"url": f"https://acme.example/page/{number % 500}", "plan": "pro", "seats": number % 50},
        "context": {
            "ip": "203.0.113.7",
            "locale": "en-GB",
            "timezone": "Europe/London",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "page": {"path": f"/page/{number % 500}", "referrer": "https://search.example/", "title": "Pricing"},
            "campaign": {"name": "launch", "source": "newsletter", "medium": "email"},
        },
        "integrations": {"All": True},
    }


def _timed(*arguments: str) -> tuple[float, float]:
    """Runs `leadscore`, and returns how many seconds it took and its largest resident memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "cli", *arguments], stdout=subprocess.DEVNULL)
    peaks = list[float]()
    sampling = threading.Thread(target=_sample, args=(psutil.Process(process.pid), peaks))
    sampling.start()
    status = process.wait()
    took = time.monotonic() - began
    sampling.join()
    if status:
        raise ValueError(f"leadscore {' '.join(arguments)} ended with status {status}")
    say(f"leadscore {arguments[0]} {arguments[1]}: {took:.1f} s")
    return took, max(peaks, default=0.0)


def _sample(process: psutil.Process, peaks: list[float]) -> None:
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            peaks.append(process.memory_info().rss / 1e6)
            time.sleep(SAMPLE_SECONDS)


def _check_stored(uri: str, messages: int) -> None:
    with MongoClient[reference.Document](uri) as client:
        stored = client.get_default_database()["events"].estimated_document_count()
    if stored != messages:
        raise ValueError(f"{messages:,} messages were sent, {stored:,} events are stored")
