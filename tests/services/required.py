"""What a test does without a program it needs: skips on a laptop, fails in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRE_VARIABLE = "STILLWATCH_REQUIRE_SERVICES"


def unavailable(service: str, remedy: str) -> NoReturn:
    """Ends the test: `remedy` says in words how to get `service`."""
    reason = f"{service} is not available: {remedy}"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{reason} ({REQUIRE_VARIABLE}=1)", pytrace=False)
    pytest.skip(reason)
