"""What requests contain, and what is answered to them. Imports the standard library only."""
