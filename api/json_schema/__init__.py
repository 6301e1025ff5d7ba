"""The JSON of every command: one block for each command, with its version and the meaning of each key."""
