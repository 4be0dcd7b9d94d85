"""Delivery: from an execution to a webhook, a Slack message or an e-mail."""
