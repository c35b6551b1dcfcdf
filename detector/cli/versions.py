"""What a run was made with."""

from __future__ import annotations

from detector.features import schema_hash
from detector.pipeline import Models
from detector.policy import Policy


def versions_of(models: Models, policy: Policy) -> dict[str, str]:
    """Versions of classifier, cue model, prompt encoder, policy and feature schema by name."""
    encoder = {} if models.prompts is None else {"encoder": models.prompts.version}
    return {
        "classifier": models.scorer.card.version,
        "cues": models.cues.version,
        **encoder,
        "policy": policy.stamp,
        "features": schema_hash(),
    }
