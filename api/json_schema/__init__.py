"""The JSON of every command: one block a command, with its version and the meaning of each key."""
