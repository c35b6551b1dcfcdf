"""The type of one row or event inside a kernel."""

from __future__ import annotations

from typing import Any, TypeAlias

Row: TypeAlias = Any
"""A record of a structured array. numba knows its fields; numpy's stubs know none of them."""
