"""Reading lines: line crops to text."""
