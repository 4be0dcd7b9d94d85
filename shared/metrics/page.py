"""The metrics page of a process: `GET /metrics` over HTTP, in the format that the reader asks for.

Guarantee: the page answers while the event loop is blocked, because it has threads of its own. It reads nothing from a
database, and a reader that is slow or away delays nobody.
"""

import errno
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from prometheus_client import MetricsHandler, disable_created_metrics

from shared.settings import MetricsSettings, StartupError

READER_SECONDS = 10.0
"""How long the page waits for a reader that sends or takes nothing."""


class _Handler(MetricsHandler):
    timeout = READER_SECONDS


class _Page(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Listens without a look-up of the host's name, which can take long and is not needed."""
        socketserver.TCPServer.server_bind(self)


@contextmanager
def serving_metrics(settings: MetricsSettings) -> Iterator[None]:
    """Serves the page while the block runs. Port 0 disables it.

    Raises:
        StartupError: The page cannot listen there.
    """
    if not settings.metrics_port:
        yield
        return
    disable_created_metrics()  # type: ignore[no-untyped-call]  # times that would add a third to the page
    page = _listen(settings.metrics_host, settings.metrics_port)
    thread = threading.Thread(target=page.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        page.shutdown()
        page.server_close()
        thread.join()


class _Page6(_Page):
    address_family = socket.AF_INET6


def _listen(host: str, port: int) -> _Page:
    try:
        return (_Page6 if ":" in host else _Page)((host, port), _Handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            advice = "stop the process that uses it, or choose another LEADSCORE_METRICS_PORT"
            raise StartupError(f"{host}:{port} is in use: {advice}") from None
        raise StartupError(f"LEADSCORE_METRICS_HOST={host}: {error.strerror}") from None
