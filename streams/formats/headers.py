"""What HTTP headers say of the client: user agent, SDK, organisation."""

from __future__ import annotations

from typing import Any

from streams.formats.values import Fields, identity, mapping, text_of


def lowered(headers: object) -> dict[str, Any]:
    """Headers with lower-case names; a value list gives its first value."""
    if isinstance(headers, list):  # [{"name": ..., "value": ...}] or [[name, value]]
        pairs: dict[str, Any] = {}
        for entry in headers:
            if isinstance(entry, dict):
                name = entry.get("name", entry.get("key"))
                if isinstance(name, str):
                    pairs[name] = entry.get("value")
            elif isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
                pairs[entry[0]] = entry[1]
        headers = pairs
    if not isinstance(headers, dict):
        return {}
    return {
        str(name).lower(): (value[0] if isinstance(value, list) and value else value)
        for name, value in headers.items()
    }


def read_headers(headers: dict[str, Any], fields: Fields) -> None:
    """Adds user agent, SDK, organisation and client address from lower-case headers."""
    if not headers:
        return
    if "user_agent" not in fields and (agent := text_of(headers.get("user-agent"))):
        fields["user_agent"] = agent
    sdk = sdk_of(headers)
    if sdk:
        fields["sdk"] = sdk
    for name in ("openai-organization", "anthropic-organization-id", "x-organization-id"):
        if "organisation" not in fields and (org := identity(headers.get(name))):
            fields["organisation"] = org
    for name in ("x-forwarded-for", "x-real-ip", "cf-connecting-ip", "true-client-ip"):
        if "client_ip" not in fields and (address := text_of(headers.get(name))):
            fields["client_ip"] = address.split(",")[0].strip()


def sdk_of(headers: dict[str, Any]) -> str | None:
    """The SDK in short, "python/3.3.0", from Stainless or older OpenAI headers."""
    language = headers.get("x-stainless-lang")
    if isinstance(language, str) and language:
        version = headers.get("x-stainless-package-version")
        return f"{language}/{version}" if isinstance(version, str) and version else language
    old = headers.get("x-openai-client-user-agent")
    if not isinstance(old, str):
        return None
    parsed = mapping(old)
    language, version = parsed.get("lang"), parsed.get("bindings_version")
    if not isinstance(language, str):
        return None
    return f"{language}/{version}" if isinstance(version, str) else language
