"""Whether the HTTP API on this machine is healthy."""

import http.client
import ssl


def is_healthy(port: int) -> bool:
    """Returns whether what listens on a port, with TLS or without, says that it and the services behind it serve."""
    trusting = ssl.create_default_context()
    # The process that asks has started this server, and sends it nothing that must stay secret.
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    return _says_ok(plain) or _says_ok(http.client.HTTPSConnection("127.0.0.1", port, timeout=1, context=trusting))


def _says_ok(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
