"""Who sends: account, keys, networks, client program, provider and model of one customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

MODELS = {
    "openai": (
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-5",
        "gpt-5-mini",
        "o4-mini",
    ),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku-4-5", "claude-sonnet-4"),
}
ENDPOINTS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
CLIENTS = {
    "openai": (
        ("OpenAI/Python {v}", "python/{v}"),
        ("AsyncOpenAI/Python {v}", "python/{v}"),
        ("OpenAI/JS {v}", "js/{v}"),
        ("OpenAI/Go {v}", "go/{v}"),
    ),
    "anthropic": (
        ("Anthropic/Python {v}", "python/{v}"),
        ("AsyncAnthropic/Python {v}", "python/{v}"),
        ("Anthropic/JS {v}", "js/{v}"),
    ),
}
PLAIN_CLIENTS = (
    "python-requests/2.3{m}.{p}",
    "Python/3.1{p} aiohttp/3.{m}.1",
    "python-httpx/0.2{p}.0",
    "litellm/1.{m}.{p}",
    "axios/1.{p}.0",
    "node-fetch/3.{p}",
    "Go-http-client/2.0",
    "okhttp/4.1{p}.0",
    "curl/8.{p}.0",
    "Java-http-client/21.0.{p}",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/13{p}.0",
    "undici",
)
TIME_ZONES_H = (-8, -6, -5, -3, 0, 1, 1, 2, 3, 5.5, 7, 8, 8, 9)
N_NETWORKS = 4000
"""Size of the pool of /24 networks; clouds and offices make strangers share some of them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same over an account's requests. `created_s` is in epoch seconds."""

    account: str
    organisation: str
    keys: tuple[str, ...]
    networks: tuple[str, ...]
    clients: tuple[tuple[str, str | None], ...]
    """User agent and SDK headers; an account of several programs or hosts has several."""
    provider: str
    models: tuple[str, ...]
    created_s: float
    plan_limit: float
    time_zone_h: float
    tokens_per_s: float


def opaque(prefix: str, rng: Generator, size: int = 8) -> str:
    """A hash-like id that tells nothing about its owner."""
    return prefix + rng.bytes(size).hex()


def draw_network(rng: Generator) -> str:
    """A /24 of 100.64.0.0/10 (RFC 6598, nobody's address); few networks are popular."""
    index = int(N_NETWORKS * rng.random() ** 1.6)
    return f"100.{64 + index // 256}.{index % 256}.0/24"


def draw_client(provider: str, rng: Generator) -> tuple[str, str | None]:
    """User agent and SDK string of some client of the provider's API."""
    if rng.random() < 0.6:
        shapes = CLIENTS[provider]
        agent, sdk = shapes[int(rng.random() * len(shapes))]
        version = f"{1 + int(rng.random() * 3)}.{int(rng.random() * 110)}.{int(rng.random() * 4)}"
        return agent.format(v=version), sdk.format(v=version)
    shape = PLAIN_CLIENTS[int(rng.random() * len(PLAIN_CLIENTS))]
    return shape.format(m=int(rng.random() * 30), p=int(rng.random() * 9)), None


def draw_identity(
    rng: Generator,
    *,
    now_s: float,
    account: str | None = None,
    wide: bool = False,
    new: bool = False,
    provider: str | None = None,
) -> Identity:
    """Draws an identity. `wide` gives many networks and agents (build runners, resellers, proxies);
    `new` makes a young account more likely (both labels have young accounts); `provider` takes the
    place of a drawn one."""
    drawn = "openai" if rng.random() < 0.65 else "anthropic"
    provider = provider or drawn
    models = [str(model) for model in rng.permutation(MODELS[provider])]
    n_models = 1 if rng.random() < 0.7 else 2
    n_networks = int(rng.integers(5, 30)) if wide else 1 + int(rng.random() ** 3 * 4)
    n_clients = int(rng.integers(2, 5)) if wide else 1 + int(rng.random() < 0.15)
    tenure_days = float(np.clip(rng.lognormal(np.log(12.0 if new else 90.0), 1.6), 0.05, 1500))
    return Identity(
        account=account or opaque("acct_", rng),
        organisation=opaque("org_", rng, 6),
        keys=tuple(opaque("key_", rng) for _ in range(1 + int(rng.random() ** 4 * 5))),
        networks=tuple(draw_network(rng) for _ in range(n_networks)),
        clients=tuple(draw_client(provider, rng) for _ in range(n_clients)),
        provider=provider,
        models=tuple(models[:n_models]),
        created_s=now_s - tenure_days * 86_400,
        plan_limit=float(rng.choice([200, 1000, 5000, 20_000])),
        time_zone_h=float(TIME_ZONES_H[int(rng.random() * len(TIME_ZONES_H))]),
        tokens_per_s=float(rng.uniform(25, 140)),
    )
