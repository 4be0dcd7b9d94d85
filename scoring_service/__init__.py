"""Scores leads: keeps their histories, the states that follow from them, and the scoring models, and runs decay.

Owns: `leads`, `score_history`, `checkpoints`, `scoring_models`, `model_publications`, `scoring_partitions`,
`scoring_locks`; marks rows of the inbox `events`, inserts rows into `score_changes`.
Promises: each event is scored exactly once; a score is the sum of its history and does not depend on the order in
which events arrive; an entry, the state after it and the change report are committed together.
Never: changes a history entry, sends anything inside a transaction, or interprets scores (intelligence does).
"""
