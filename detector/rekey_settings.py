"""How `stillwatch rekey` runs."""

from __future__ import annotations

from dataclasses import dataclass

from detector.member_settings import MemberSettings
from streams.topics import MAX_INPUT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeySettings(MemberSettings):
    """Settings of one rekeyer.

    Attributes:
        source: topic of the records that are not keyed by account.
        target: the input topic of the workers.
        max_record_bytes: largest record that is written, its key and headers included.
    """

    source: str
    target: str
    max_record_bytes: int = MAX_INPUT_BYTES
