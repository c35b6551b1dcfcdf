"""Secrets of the link to Kafka: from the settings, or from a file each time they are needed."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from streams.log import LogError


def secret(name: str, given: SecretStr | None, file: Path | None) -> str:
    """The secret of setting kafka.`name`; a file's last line break is not part of it.

    Raises LogError when the file cannot be read or is empty.
    """
    if given is not None:
        return given.get_secret_value()
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
    return found
