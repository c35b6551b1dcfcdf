"""The log formats Stillwatch reads, most telling marks first: the first that recognises wins.

A new format is a new file here and its line in `FORMATS`; the contract suite then covers it.
"""

from __future__ import annotations

from streams.formats.anthropic import FORMAT as ANTHROPIC
from streams.formats.apisix import FORMAT as APISIX
from streams.formats.azure import FORMAT as AZURE
from streams.formats.bedrock import FORMAT as BEDROCK
from streams.formats.cloudflare import FORMAT as CLOUDFLARE
from streams.formats.envoy import FORMAT as ENVOY
from streams.formats.format import Context, Format
from streams.formats.higress import FORMAT as HIGRESS
from streams.formats.kong import FORMAT as KONG
from streams.formats.langfuse import FORMAT as LANGFUSE
from streams.formats.litellm import FORMAT as LITELLM
from streams.formats.native import FORMAT as NATIVE
from streams.formats.new_api import FORMAT as NEW_API
from streams.formats.ollama import FORMAT as OLLAMA
from streams.formats.openai import FORMAT as OPENAI
from streams.formats.openrouter import FORMAT as OPENROUTER
from streams.formats.otel import FORMAT as OTEL
from streams.formats.portkey import FORMAT as PORTKEY
from streams.formats.vertex import FORMAT as VERTEX
from streams.formats.vllm import FORMAT as VLLM

FORMATS: tuple[Format, ...] = (
    NATIVE,
    LITELLM,
    OTEL,
    BEDROCK,
    KONG,
    APISIX,
    HIGRESS,
    ENVOY,
    AZURE,
    CLOUDFLARE,
    LANGFUSE,
    PORTKEY,
    OPENROUTER,
    NEW_API,
    VLLM,
    OLLAMA,
    VERTEX,
    ANTHROPIC,
    OPENAI,
)

__all__ = ["FORMATS", "Context", "Format"]
