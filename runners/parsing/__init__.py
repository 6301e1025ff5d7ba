"""What a text says: steps, verdicts, and what was only thought."""
