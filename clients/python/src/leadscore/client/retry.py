"""Decides whether to retry a call, and how long to wait first.

Guarantee: a call ends after `RetryPolicy.total_seconds`, retries included, and each attempt has a deadline. Every call
of this client is idempotent, events by their id, so an attempt whose outcome is unknown may be repeated.
"""

import random
import time
from dataclasses import dataclass

import grpc
from leadscore.client.errors import is_outcome_unknown, retry_delay


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a call is retried. All values are in seconds.

    The back-off doubles from `initial_backoff` up to `max_backoff`, and each pause is a random fraction of it, from one
    half to one. If the server asks for a delay, the pause is that delay plus a little jitter.
    """

    attempt_seconds: float = 10.0
    total_seconds: float = 30.0
    initial_backoff: float = 0.2
    max_backoff: float = 5.0


class Attempts:
    """The attempts of one call."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._ends = time.monotonic() + policy.total_seconds
        self._failed = 0

    def deadline(self) -> float:
        """Returns the time-out of the next attempt, in seconds."""
        return max(0.001, min(self._policy.attempt_seconds, self._ends - time.monotonic()))

    def pause_after(self, error: grpc.RpcError) -> float | None:
        """Returns how long to wait before the next attempt, in seconds; None if there must be no other attempt."""
        pause = pause_after(error, self._policy, self._failed)
        self._failed += 1
        return pause if pause is not None and time.monotonic() + pause < self._ends else None


def pause_after(error: grpc.RpcError, policy: RetryPolicy, failed: int) -> float | None:
    """Returns how long to wait after an error that followed `failed` others, in seconds; None if the error is final."""
    asked = retry_delay(error)
    if asked is not None:
        return asked * random.uniform(1.0, 1.1)
    if not is_outcome_unknown(error):
        return None
    longest: float = min(policy.max_backoff, policy.initial_backoff * 2 ** min(failed, 30))
    return longest * random.uniform(0.5, 1.0)
