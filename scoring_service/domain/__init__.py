"""The rules of scoring, as pure functions over frozen values: standard library only, and time is an argument.

Start with `replay.py` (what an event and a tick do to a state), then read `history.py` (how that is recorded),
`model.py` (the numbers) and `verification.py` (how all of it is checked).
"""
