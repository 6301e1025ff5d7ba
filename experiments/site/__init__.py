"""What the documentation site generates from the code while mkdocs builds it (`make site`)."""
