from __future__ import annotations

import pytest

import isocompute as iso

QWEN = "data/runs/qwen-gsm-symbolic"


@pytest.fixture(scope="session")
def qwen_policies():
    return iso.policies(QWEN, "8x")
