"""MongoDB ⇄ domain: the collections of this service, and its ends of two inboxes.

`schema.py` defines the indexes and migrates a database. `writes.py` writes leads, `reads.py` reads them, `facts.py`
reads facts to fold, `backlog.py` counts pending events, and `models.py` stores models and publications. `documents.py`
and `model_documents.py` define the documents.
"""
