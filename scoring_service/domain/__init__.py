"""How a score comes about. Pure: the standard library only; time comes in as an argument.

Begin with `fold.py` (what an event and a tick do to a state), then `history.py` (how that is recorded), `model.py` (the
numbers), `inspection.py` (how all of it is checked).
"""
