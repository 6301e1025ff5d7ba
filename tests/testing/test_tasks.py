"""Tasks that need no hub pass the suite that isocompute ships."""

from __future__ import annotations

import pytest

from isocompute.testing import TaskSuite


class TestLab(TaskSuite):
    def make_block(self):
        return {"name": "lab", "levels": [1, 3], "seed": 2}


class TestGenerated(TaskSuite):
    def make_block(self):
        return {"name": "reasoning-gym", "generator": "gcd"}

    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("reasoning_gym")


class TestFile(TaskSuite):
    @pytest.fixture(autouse=True)
    def written(self, tmp_path):
        self.path = tmp_path / "mine.csv"
        self.path.write_text("question,answer\n" + "".join(f"{i} + {i}?,{2 * i}\n" for i in range(10)))

    def make_block(self):
        return {"path": str(self.path), "grader": "numeric"}
