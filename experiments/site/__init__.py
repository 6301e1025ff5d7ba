"""The pages of the documentation site that are generated from the code while mkdocs builds it (`make site`)."""
