"""Sends a message of each type with Segment's SDK for Python; the exit status is 1 if one was not delivered."""

import sys

from segment.analytics.client import Client

host, key = sys.argv[1:]
failures: list[Exception] = []
client = Client(key, host=host, gzip=True, on_error=lambda error, _: failures.append(error))
client.identify("ada", traits={"email": "ada@kiosk.example", "seats": 3})
client.track("ada", "Demo Requested", properties={"plan": "pro"})
client.page("ada", name="Pricing", properties={"url": "/pricing"})
client.screen("ada", name="Home")
client.group("ada", "acme", traits={"size": 5})
client.alias("anonymous-7", "ada")
client.flush()
client.join()
sys.exit(f"not delivered: {failures}" if failures else 0)
