"""The `leadscore` command: a client of the four services, and the way to run them all on one machine.

Owns: nothing. It speaks to the services over gRPC only, and starts them as processes; it imports none of them.
"""

VERSION = "0.1.0"
"""Read by the build, too."""
