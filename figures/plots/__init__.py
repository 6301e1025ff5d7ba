"""The figures, a module each: a table of what is drawn, and what draws it."""
