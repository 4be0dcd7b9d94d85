"""Delivers executions as webhooks, Slack messages and e-mails."""
