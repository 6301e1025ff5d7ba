"""The figures, one module each: a function that builds the table of what is drawn, and one that draws it."""
