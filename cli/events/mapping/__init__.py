"""What the fields of a file mean: its format, the types of its cells, and the lines that it becomes."""
