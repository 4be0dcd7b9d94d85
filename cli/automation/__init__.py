"""Automation: rules and executions."""
