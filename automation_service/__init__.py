"""Fires rules when leads change, records each firing as an execution, and delivers it to webhooks, chats and e-mail.

Owns: `automation_rules`, `automation_executions`, `automation_partitions`; marks the inbox `score_changes`.
Promises: if a rule fires on a committed change, exactly one execution is recorded per lead, rule and date, under a
constant id. Each delivery reaches its receiver at least once, always with the same id and body, even if processes are
killed and changes are drained twice.
Never: computes velocity, risk or the next action (intelligence does), derives a date from its own clock, connects to an
address that the operator has not allowed, returns a secret, or stores one that is not encrypted.
"""
