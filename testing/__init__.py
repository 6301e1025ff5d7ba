"""Test suites for authors of engines, scorers, searches and other plugins.

A suite is a class of pytest tests. Subclass it in a test module, and define the object under test there::

    from isocompute.runners import engines
    from isocompute.testing import EngineSuite

    class TestMine(EngineSuite):
        def load(self):
            return engines.load("mine", "some-model")

The built-in entries pass the same suites. The suites need pytest: ``pip install 'isocompute[testing]'``.
"""

import pytest

for _suite in ("engines", "figures", "graders", "imports", "scorers", "searches", "strategies", "tasks"):
    pytest.register_assert_rewrite(f"isocompute.testing.{_suite}")

from isocompute.testing.engines import EngineSuite  # noqa: E402
from isocompute.testing.figures import FigureSuite  # noqa: E402
from isocompute.testing.graders import GraderSuite  # noqa: E402
from isocompute.testing.imports import ImportSuite  # noqa: E402
from isocompute.testing.scorers import ScorerSuite  # noqa: E402
from isocompute.testing.searches import SearchSuite, SearchWorld, make_search_world  # noqa: E402
from isocompute.testing.strategies import StrategySuite  # noqa: E402
from isocompute.testing.tasks import TaskSuite  # noqa: E402

__all__ = [
    "EngineSuite",
    "FigureSuite",
    "GraderSuite",
    "ImportSuite",
    "ScorerSuite",
    "SearchSuite",
    "SearchWorld",
    "StrategySuite",
    "TaskSuite",
    "make_search_world",
]  # fmt: skip
