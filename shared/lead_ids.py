"""The optional normal form of lead ids, which LEADSCORE_LEAD_IDS sets for a deployment.

Guarantee: all servers of a database give ids the same form, because the steps are recorded when the database is created
and checked at every start. The form of a form is itself, so that an id may pass through several servers.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from shared.mongo import Database, durable
from shared.settings import StartupError

STEPS = ("trim", "nfc", "email")
"""The steps that a deployment can choose.

`trim` removes spaces and invisible characters around an id, `nfc` composes its characters (Unicode NFC), and `email`
writes e-mail addresses in lower case.
"""

_FIELDS = ("lead_id", "lead_ids")
_UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""Unicode categories of spaces, control characters and invisible characters, such as the zero-width space."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class LeadIds:
    """Gives lead ids their normal form.

    `steps` are names of `STEPS`, separated by commas. Without any, ids stay as they are.
    """

    def __init__(self, steps: str) -> None:
        self._steps = [step for step in STEPS if step in steps.split(",")]
        self._places: dict[str, Sequence[_Place]] = {}

    def normal(self, lead_id: str) -> str:
        """Returns the normal form of an id; it may be empty."""
        if "trim" in self._steps:
            lead_id = _trimmed(lead_id)
        if "email" in self._steps and _EMAIL.fullmatch(lead_id):
            lead_id = lead_id.lower()
        # Last, because letters in lower case may compose differently.
        return unicodedata.normalize("NFC", lead_id) if "nfc" in self._steps else lead_id

    def apply(self, request: Message) -> None:
        """Gives all lead ids in a request their normal form: fields named `lead_id` or `lead_ids`, at any depth."""
        if self._steps:
            name = request.DESCRIPTOR.full_name
            if name not in self._places:
                self._places[name] = _places_in(request.DESCRIPTOR)  # type: ignore[arg-type]  # upb's has the same interface
            self._apply(request, self._places[name])

    async def record(self, database: Database) -> None:
        """Records the steps, if none are recorded yet, and checks them. The service that owns events calls it."""
        await durable(database["deployment"]).update_one(
            {"_id": "lead_ids"}, {"$setOnInsert": {"steps": self._steps}}, upsert=True
        )
        await self.check(database)

    async def check(self, database: Database) -> None:
        """Checks at startup that the ids of the database have this form.

        Raises:
            StartupError: They have another one, or the database has not been set up.
        """
        record = await database["deployment"].find_one({"_id": "lead_ids"})
        if record is None:
            raise StartupError("the database has not been set up: run migrate of every service first")
        if record["steps"] != self._steps:
            steps = ",".join(record["steps"])
            raise StartupError(
                f"the database was created with other lead ids: set LEADSCORE_LEAD_IDS={steps}, or move to a new "
                "database (docs/operations.md)"
            )

    def _apply(self, message: Message, places: "Sequence[_Place]") -> None:
        for name, is_repeated, below in places:
            value = getattr(message, name)
            if below:
                for each in value if is_repeated else (value,):
                    self._apply(each, below)
            elif is_repeated:
                value[:] = map(self.normal, value)
            elif value:
                setattr(message, name, self.normal(value))


class _Place(NamedTuple):
    """A field that is a lead id or a list of them or, if it has places `below`, a message that contains some."""

    name: str
    is_repeated: bool
    below: "Sequence[_Place]"


def _places_in(descriptor: "Descriptor", above: Sequence[str] = ()) -> Sequence[_Place]:
    if descriptor.full_name in above:
        return ()
    places = []
    for field in descriptor.fields:
        below = _places_in(field.message_type, (*above, descriptor.full_name)) if field.message_type else ()
        if below or (field.name in _FIELDS and field.type == FieldDescriptor.TYPE_STRING):
            places.append(_Place(field.name, field.is_repeated, below))
    return places


def _trimmed(text: str) -> str:
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]) in _UNSEEN:
        start += 1
    while end > start and unicodedata.category(text[end - 1]) in _UNSEEN:
        end -= 1
    return text[start:end]
