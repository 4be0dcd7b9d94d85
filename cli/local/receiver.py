"""A webhook receiver on this machine, for the demo: it verifies and stores the payloads that it receives."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

MAX_BYTES = 1024 * 1024


class Receiver:
    """Accepts webhooks at `url`, and puts payloads with a valid signature into the queue `received`."""

    def __init__(self, secret: str) -> None:
        self.url = ""
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self._webhook = Webhook(secret)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """Stores the payload of a request if its signature is valid, and returns the HTTP status of the answer."""
        try:
            self._webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            return 401
        self.received.put(json.loads(body))
        return 204


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """Runs a receiver on 127.0.0.1 while the block runs."""
    receiver = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("content-length", 0)), MAX_BYTES)
            self.send_response(receiver.take(self.rfile.read(length), dict(self.headers.items())))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing: the demo prints what was received."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/leads"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
