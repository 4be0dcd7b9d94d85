"""Golden histories: committed leads that every release must still fold to the same entries and the same state.

`stories.py` says what reached each lead, in the order in which the service heard of it. `histories/` holds what was
committed: the story, the entries that it gave and the lead's final state. `models/` holds the scoring models.
`python -m tests.golden.write` makes all of it anew; a difference in `git diff` is a change of the score, and needs a
new `ENGINE_VERSION` and a line in the changelog.
"""
