"""Everything isocompute raises on purpose.

    IsocomputeError                 caught at the command line: one sentence, exit code 2
    ├── BudgetError (ValueError)    a budget that cannot be read or spent
    ├── ConfigError (ValueError)    a sweep file that is wrong
    ├── DataError (ValueError)      arrays, tables or files that do not hold what they should
    ├── RunError (RuntimeError)     a run that is missing, half-written, or not what its config says
    └── EngineError (RuntimeError)  a model that cannot be loaded or asked

A message says what was wrong, where (file, row, key), and what would be right.
"""

from __future__ import annotations


class IsocomputeError(Exception):
    """Base of every error that isocompute raises on purpose."""


class BudgetError(IsocomputeError, ValueError):
    """A budget that cannot be read, or that buys nothing."""


class ConfigError(IsocomputeError, ValueError):
    """A sweep configuration with an unknown key, a bad value or a missing file."""


class DataError(IsocomputeError, ValueError):
    """Arrays, tables or files that do not hold what they should."""


class RunError(IsocomputeError, RuntimeError):
    """A run that is missing, half-written, or made by another configuration."""


class EngineError(IsocomputeError, RuntimeError):
    """A model that cannot be loaded, or an engine that failed."""
