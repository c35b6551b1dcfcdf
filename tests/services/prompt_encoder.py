"""The built prompt encoder, for the tests that read real text with it."""

from __future__ import annotations

from pathlib import Path

from detector.encoder import CARD, Encoder, shared_encoder
from tests.services.required import unavailable

FOLDER = Path(__file__).parents[2] / "build" / "encoder"


def encoder_folder() -> Path:
    """Where `make encoder` built it; skips the test, or fails it in CI, where it did not."""
    if not (FOLDER / CARD).exists():
        unavailable("the prompt encoder", "build it with `make encoder`")
    return FOLDER


def built_encoder() -> Encoder:
    """The built encoder, one for all tests of a process."""
    return shared_encoder(encoder_folder(), False)
