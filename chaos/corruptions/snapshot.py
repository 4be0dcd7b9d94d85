"""A snapshot of a database and of what its clients observed; corruptions change it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaos.journal import Journal
from chaos.rows import Document


@dataclass
class Snapshot:
    """The collections of a database by name, and the journal of what its clients observed."""

    collections: dict[str, list[Document]]
    journal: Journal

    def of(self, collection: str, **fields: Any) -> Document:
        """Returns the first row with these fields."""
        return next(
            row for row in self.collections[collection] if all(row.get(name) == value for name, value in fields.items())
        )

    def entry(self, sequence: int = 2) -> Document:
        """Returns an entry of `ada`, the lead that most corruptions use."""
        return self.of("score_history", lead_id="ada", sequence=sequence)

    def change(self, **fields: Any) -> tuple[Document, Document]:
        """Returns the first change with these fields, in a row of its own, and the row."""
        row, change = next(
            (row, change)
            for row in self.collections["score_changes"]
            for change in row["changes"]
            if all(change[name] == value for name, value in fields.items())
        )
        row["changes"].remove(change)
        row["count"] -= 1
        if not row["changes"]:
            self.drop("score_changes", row)
        self.add("score_changes", row, _id=f"of {id_of(change)}", changes=[change], count=1)
        own = self.collections["score_changes"][-1]
        return own["changes"][0], own

    def drop(self, collection: str, row: Document) -> None:
        """Removes a row."""
        self.collections[collection].remove(row)

    def add(self, collection: str, row: Document, **fields: Any) -> None:
        """Adds a copy of a row with other fields."""
        self.collections[collection].append(copy.deepcopy(row) | fields)


def id_of(change: Document) -> str:
    """Returns how violations name a change."""
    return f"{change['lead_id']}:{change['sequence']}"


Corruption = Callable[[Snapshot], str]
"""Corrupts a snapshot in one place, and returns the id that a violation must name."""
