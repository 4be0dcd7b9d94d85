"""The names under which processes report their health.

They are not in `shared.rpc.health`, whose imports would slow down the start of the `leadscore` command.
"""


def worker_name(service: str) -> str:
    """Returns the name under which the workers of a service, such as `scoring`, report their health."""
    return f"leadscore.{service}.worker"
