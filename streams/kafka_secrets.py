"""Secrets of the link to Kafka: from the settings, or from a file each time they are needed."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import SecretStr

from streams.log import LogError

_WIRE = ("kafka.protocol.parser", "kafka.net.connection")
"""Loggers of kafka-python that write whole requests at DEBUG: logins, and records with prompts."""


def hide_wire() -> None:
    """Keeps these loggers from DEBUG, also where "kafka" is set to it; an own level of theirs
    stays."""
    for name in _WIRE:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)


class Masked(str):
    """A secret that shows itself only where it is used: kafka-python logs its options' repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def secret(name: str, given: SecretStr | None, file: Path | None) -> Masked:
    """The secret of setting kafka.`name`; a file's last line break is not part of it.

    Raises LogError when the file cannot be read or is empty.
    """
    if given is not None:
        return Masked(given.get_secret_value())
    if file is None:
        raise LogError(f"the setting kafka.{name} or kafka.{name}_file is needed")
    try:
        found = file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise LogError(
            f"{file} cannot be read ({why}); correct the setting kafka.{name}_file, or let this "
            "process read the file"
        ) from error
    if not found:
        raise LogError(f"{file} is empty; put the secret of kafka.{name}_file into it")
    return Masked(found)
