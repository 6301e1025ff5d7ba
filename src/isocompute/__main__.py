"""Entry point of `python -m isocompute`."""

from isocompute.cli.main import main

if __name__ == "__main__":
    main()
