"""An OpenID Connect issuer on this machine."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwk, jwt

DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Publishes the public halves of its keys, and signs tokens with them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls_itself = url
        self.discoveries = 0
        self.fetches = 0
        self.is_down = False
        self.jwks_uri: object = f"{url}/keys"
        self.spoilt: bytes | None = None
        """What it answers instead, if anything."""
        self.published: list[Any] = []
        self._keys: dict[str, jwk.Key] = {}

    def add_key(self, kid: str, kind: str = "EC", form: str | int = "P-256") -> None:
        """Makes a key and publishes it."""
        key = jwk.generate_key(kind, form, {"kid": kid})  # type: ignore[call-overload]  # any kind
        self._keys[kid] = key
        self.published.append(key.as_dict(private=False))

    def remove_key(self, kid: str) -> None:
        """Publishes a key no longer; it can still sign."""
        self.published = [each for each in self.published if each.get("kid") != kid]

    def sign(self, claims: Mapping[str, Any], kid: str = "first", algorithm: str = "ES256") -> str:
        """Returns a token."""
        return jwt.encode({"alg": algorithm, "kid": kid}, dict(claims), self._keys[kid], [algorithm])

    def document(self, path: str) -> object:
        """Returns what it answers at a path."""
        if path == DISCOVERY:
            self.discoveries += 1
            return {"issuer": self.calls_itself, "jwks_uri": self.jwks_uri}
        self.fetches += 1
        return {"keys": self.published}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Runs an issuer with one key, named `first`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(issuer.document(self.path)).encode()
            content = content if issuer.spoilt is None else issuer.spoilt
            self.send_response(503 if issuer.is_down else 200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        issuer.add_key("first")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
