"""How the clients of the rounds connect: the documented retry policy, and fast reconnects."""

import json

RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "waitForReady": True,
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"],
            },
        }
    ]
}
"""The retry policy that docs/events.md recommends to clients."""
CHANNEL_OPTIONS = [
    ("grpc.service_config", json.dumps(RETRIES)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
