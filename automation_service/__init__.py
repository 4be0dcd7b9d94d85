"""Rules that fire on leads, and the executions that they leave.

Owns: `automation_rules`, `automation_executions`, `automation_partitions`; marks the inbox `score_changes`.
Promises: a rule that fires on a committed change is recorded exactly once per lead, rule and date, under a constant id,
and what it says reaches its receivers at least once, under one id and with one body, whatever is killed or redelivered
whenever.
Never: computes velocity, risk or a next action (intelligence does), derives a date from its own clock, connects to an
address that the operator has not allowed, or shows a secret.
"""
