"""Takes events over HTTP from those who do not speak gRPC: Segment's API, CloudEvents, and signed webhooks.

Owns: no data. It turns what it receives into events, by mapping files, and sends them to the ingest service.
Promises: it answers with success only after the ingest service has acknowledged every event. A refusal is a status of
gRPC as JSON that says why. Whatever a sender may try again is answered with 429 or 503 and `Retry-After`.
Never: stores data, decides whether an API key is valid, or calls the ingest service with its own key for somebody who
has none.
"""
