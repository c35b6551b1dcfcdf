"""Names of the consumer groups beside the workers', and of their transactions."""

from __future__ import annotations


def lake_group(group: str) -> str:
    """Consumer group of the lake role."""
    return f"{group}-lake"


def rekey_group(group: str) -> str:
    """Consumer group of `stillwatch rekey`."""
    return f"{group}-rekey"


def worker_transactions(group: str) -> str:
    """How the transactional ids of the workers begin; a member's name follows."""
    return f"{group}-"


def rekey_transactions(group: str) -> str:
    """The same for `stillwatch rekey`. Not under the workers' prefix: who may write as a worker
    cannot fence a rekeyer."""
    return f"{group}.rekey-"


def cohorts_group(group: str) -> str:
    """Consumer group of the cohorts role."""
    return f"{group}-cohorts"


def cohorts_transactions(group: str) -> str:
    """How the transactional ids of the cohorts role begin; not under the workers' prefix."""
    return f"{group}.cohorts-"
