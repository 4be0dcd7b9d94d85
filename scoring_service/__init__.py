"""The scores: the history of every lead, the state that it adds up to, the model that judges, and decay.

Owns: `leads`, `score_history`, `scoring_models`, `model_publications`, `scoring_partitions`; marks the inbox `events`,
fills `score_changes`.
Promises: each event is scored exactly once; a score is the sum of its history and does not depend on the order in
which events arrive; whatever is recorded together is committed together.
Never: changes a history entry, sends anything inside a transaction, or computes what a score means (intelligence does).
"""
