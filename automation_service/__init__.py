"""Rules that fire on leads, and the executions that they leave.

Owns: `automation_rules`, `automation_executions`; marks the inbox `score_changes`.
Promises: a rule that holds after a committed change is recorded exactly once per lead, rule and date, under a constant
id, whatever is redelivered whenever.
Never: computes velocity, risk or a next action (intelligence does), or derives a date from its own clock.
"""
