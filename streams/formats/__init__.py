"""The log formats Stillwatch reads, most telling marks first: the first that recognises wins.

A new format is a new file here and its line in `FORMATS`; the contract suite then covers it.
"""

from __future__ import annotations

from streams.formats.anthropic import FORMAT as ANTHROPIC
from streams.formats.bedrock import FORMAT as BEDROCK
from streams.formats.format import Context, Format
from streams.formats.litellm import FORMAT as LITELLM
from streams.formats.native import FORMAT as NATIVE
from streams.formats.openai import FORMAT as OPENAI

FORMATS: tuple[Format, ...] = (
    NATIVE,
    LITELLM,
    BEDROCK,
    ANTHROPIC,
    OPENAI,
)

__all__ = ["FORMATS", "Context", "Format"]
