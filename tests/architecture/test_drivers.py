"""Only modules at the edge import the drivers of databases, brokers, RPC and traces."""

from tests.architecture.test_shape import ROOT, SERVICES, modules, packages

DRIVERS = {"pymongo", "bson", "redis", "grpc", "dramatiq", "opentelemetry"}
EDGES = {"store", "clients", "servicer", "app"}
OWNERS = {
    "shared/access/audit.py",
    "shared/access/errors.py",
    "shared/access/rates.py",
    "shared/access/ring.py",
    "shared/bounded_reads.py",
    "shared/database_users.py",
    "shared/deadlines.py",
    "shared/inbox/actor.py",
    "shared/inbox/broker.py",
    "shared/inbox/bundles.py",
    "shared/inbox/collection.py",
    "shared/inbox/consumer.py",
    "shared/inbox/doorbell.py",
    "shared/inbox/heavy_keys.py",
    "shared/inbox/isolation.py",
    "shared/inbox/parking.py",
    "shared/inbox/schema.py",
    "shared/inbox/worker.py",
    "shared/indexes.py",
    "shared/locks.py",
    "shared/mongo.py",
    "shared/mongo_uris.py",
    "shared/replica_sets.py",
    "shared/rpc/channels.py",
    "shared/rpc/errors.py",
    "shared/rpc/handlers.py",
    "shared/rpc/health.py",
    "shared/rpc/retries.py",
    "shared/rpc/server.py",
    "shared/rpc/service.py",
    "shared/rpc/tls.py",
    "shared/sharding.py",
    "shared/stale_reads.py",
    "shared/traces/calls.py",
    "shared/traces/sending.py",
    "shared/traces/tracer.py",
}
"""The other modules that own a driver, or need its types or errors."""


def test_only_the_edges_import_a_driver() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in (*SERVICES, "shared")
        for path in modules(package)
        if packages(path) & DRIVERS and not (package != "shared" and _part(path.relative_to(ROOT).parts[1]) in EDGES)
    }
    assert found <= OWNERS, f"these import a driver: {found - OWNERS}"
    assert found >= OWNERS, f"these import none any more, take them off the list: {OWNERS - found}"


def _part(name: str) -> str:
    return name.removesuffix(".py")
