"""The `leadscore` command: a client of the five services, and the way to run them all on one machine.

Owns: nothing. It calls the services over gRPC, starts them as processes, and imports none of them.
"""

VERSION = "0.1.0"
"""Read by the build, too."""
