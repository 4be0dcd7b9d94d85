"""MongoDB ⇄ domain: the collections that this service owns, and the consumer's side of `score_changes`."""

from automation_service.store.schema import CHANGES, DONE

__all__ = ["CHANGES", "DONE"]
