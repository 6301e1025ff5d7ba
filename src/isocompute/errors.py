"""The exceptions that isocompute raises.

    IsocomputeError                 the command line prints one sentence and exits with code 2
    ├── BudgetError (ValueError)    a budget that cannot be read or spent
    ├── ConfigError (ValueError)    an invalid sweep file
    ├── DataError (ValueError)      arrays, tables or files with invalid contents
    ├── RunError (RuntimeError)     a run that is missing, incomplete, or does not match its configuration
    └── EngineError (RuntimeError)  a model that cannot be loaded, or an engine that failed

A message states the error, its place (file, row, key), and what is valid there. What it quotes is made printable and
cut at 200 characters.
"""

from __future__ import annotations

from isocompute.terminal import make_printable, shorten_message


class IsocomputeError(Exception):
    """Base class of all errors that isocompute raises itself."""

    def __str__(self) -> str:
        """Return the message on one line; it may quote a file, a model or a server."""
        return shorten_message(make_printable(super().__str__(), keep=""))


class BudgetError(IsocomputeError, ValueError):
    """A budget that cannot be read, or that affords no allocation."""


class ConfigError(IsocomputeError, ValueError):
    """A sweep configuration with an unknown key, a bad value or a missing file."""


class DataError(IsocomputeError, ValueError):
    """Arrays, tables or files with invalid contents."""


class RunError(IsocomputeError, RuntimeError):
    """A run that is missing, incomplete, or made by another configuration."""


class EngineError(IsocomputeError, RuntimeError):
    """A model that cannot be loaded, or an engine that failed."""
