"""What a valid event is, and when events are refused because of the backlog. Imports the standard library only."""
