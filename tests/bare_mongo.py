"""A mongod as an operator starts it, before anything has been set up."""

from cli.local.embedded import EmbeddedMongo


class BareMongo(EmbeddedMongo):
    """A mongod without authorization, with `--replSet`, that has not been initiated."""

    @property
    def uri(self) -> str:
        """The URI of the database `leadscore`."""
        return f"mongodb://127.0.0.1:{self.port}/leadscore?replicaSet=rs0"

    def _set_up(self) -> None:
        pass

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        at = arguments.index("--keyFile")
        return arguments[:at] + arguments[at + 2 :]
