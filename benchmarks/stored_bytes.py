"""What a scored event costs on disk, collection by collection and index by index."""

from collections.abc import Iterator

from pymongo import MongoClient

from benchmarks.funnel import ensure_stored
from benchmarks.harness.options import Options
from benchmarks.harness.reference import Document
from benchmarks.harness.report import Figure
from benchmarks.harness.running import Running

MIN_SHARE = 0.01
"""Collections with a smaller share of all bytes are left out."""


def collections(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the bytes on disk of the rows and indexes of each collection, per event, compressed."""
    ensure_stored(running, options)
    with MongoClient[Document](running.mongo_uri) as client:
        client.admin.command("fsync")  # sizes are up to date only after a checkpoint
        database = client.get_default_database()
        events = database["events"].estimated_document_count()
        sizes = {name: database.command("collStats", name) for name in database.list_collection_names()}
    everything = sum(map(_bytes, sizes.values()))
    for name, stats in sorted(sizes.items(), key=lambda each: -_bytes(each[1])):
        if _bytes(stats) > MIN_SHARE * everything:
            parts = {"rows": stats["storageSize"], **stats["indexSizes"]}
            note = ", ".join(f"{part} {size / events:.0f}" for part, size in parts.items())
            yield Figure(f"stored for a million events in {name}", "MB", [_bytes(stats) / events], note=note)


def _bytes(stats: Document) -> int:
    return int(stats["storageSize"] + stats["totalIndexSize"])
