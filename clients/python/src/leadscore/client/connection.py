"""The addresses of the services, and the options of the channels to them."""

import os
from dataclasses import dataclass
from typing import Self

BASE_PORT = 50051
SERVICES = ("ingest", "scoring", "automation", "intelligence", "admin")
"""The services, in the order of their ports."""

CHANNEL_OPTIONS = (
    # The client retries calls itself, because the retries of gRPC share the deadline of the first attempt.
    ("grpc.enable_retries", 0),
    # By default, gRPC waits up to two minutes before it reconnects, even if the service is back long before.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Where a name has several addresses, such as those of the pods of a service, calls go to all of them in turn.
    ("grpc.lb_policy_name", "round_robin"),
    # A lead can have 64 KiB of attributes, so a page of its history can exceed gRPC's default of 4 MiB.
    ("grpc.max_receive_message_length", -1),
    # Without pings, an idle connection does not reveal that the other machine is gone.
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
    admin: str

    @classmethod
    def at(cls, host: str = "127.0.0.1", base_port: int = BASE_PORT) -> Self:
        """Returns the addresses of a system on one host, at consecutive ports that start at `base_port`."""
        return cls(*(f"{host}:{base_port + number}" for number in range(len(SERVICES))))

    @classmethod
    def from_environment(cls) -> Self:
        """Returns the addresses from the environment.

        `LEADSCORE_BASE_PORT` changes the ports of all services; `LEADSCORE_INGEST_TARGET`, `LEADSCORE_SCORING_TARGET`
        and so on replace the address of one service. The defaults are 127.0.0.1:50051 and the next four ports.
        """
        base_port = int(os.environ.get("LEADSCORE_BASE_PORT", BASE_PORT))
        return cls(
            *(
                os.environ.get(f"LEADSCORE_{service.upper()}_TARGET", f"127.0.0.1:{base_port + number}")
                for number, service in enumerate(SERVICES)
            )
        )
