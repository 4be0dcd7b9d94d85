"""What an event is and which events are refused. Pure: the standard library only."""
