"""Where the services are, and how channels to them are set up."""

import os
from dataclasses import dataclass
from typing import Self

BASE_PORT = 50051
SERVICES = ("ingest", "scoring", "automation", "intelligence")
"""In the order of their ports, from the base port on."""

CHANNEL_OPTIONS = (
    # The client retries calls itself: gRPC would end its own retries at the deadline of the first attempt.
    ("grpc.enable_retries", 0),
    # gRPC waits up to two minutes before it connects again, in which a service that is back would go unnoticed.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A lead can have 64 KiB of attributes, and a page of its history exceeds gRPC's 4 MiB.
    ("grpc.max_receive_message_length", -1),
    # Only pings show that the machine at the other end of a quiet connection has vanished.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


@dataclass(frozen=True, slots=True)
class Targets:
    """The addresses of the services, each as `host:port`."""

    ingest: str
    scoring: str
    automation: str
    intelligence: str

    @classmethod
    def at(cls, host: str = "127.0.0.1", base_port: int = BASE_PORT) -> Self:
        """Returns the addresses of a system on one host, at consecutive ports from `base_port` on."""
        return cls(*(f"{host}:{base_port + number}" for number in range(len(SERVICES))))

    @classmethod
    def from_environment(cls) -> Self:
        """Returns the addresses that the environment names.

        `LEADSCORE_BASE_PORT` moves all of them, and `LEADSCORE_INGEST_TARGET`, `LEADSCORE_SCORING_TARGET` and so on
        replace one each. The default is 127.0.0.1:50051 and the three ports after it.
        """
        base_port = int(os.environ.get("LEADSCORE_BASE_PORT", BASE_PORT))
        return cls(
            *(
                os.environ.get(f"LEADSCORE_{service.upper()}_TARGET", f"127.0.0.1:{base_port + number}")
                for number, service in enumerate(SERVICES)
            )
        )
