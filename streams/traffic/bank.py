"""The program bank: what customers and attackers run against an API, read from `bank/*.jsonl`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

import msgspec

from streams.errors import StreamsError
from streams.traffic.sources import SOURCE_NAMES

Label = Literal["extraction", "benign", "depends"]
Output = Literal["label", "json", "short", "medium", "long", "code"]
Conversation = Literal["single", "chat", "agent"]
Pacing = Literal["batch", "paced", "human", "cron", "events"]


class BankError(StreamsError):
    """A row of the bank that cannot be used.

    Attributes:
        where: file and line, or the program's id.
        reason: what is wrong, in words.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"program bank, {where}: {reason}")


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one customer runs: fixed frames with slots, parameters and habits.

    `user` holds one or several wordings of a one-message frame; a chat program may give `turns`
    (consecutive user messages) instead. `slots` names, for every slot, a common source or an
    inline list of values.
    """

    id: str
    label: Label
    kind: str
    purpose: str
    lang: str
    system: str | None = None
    user: str | tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    slots: dict[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    tools: tuple[str, ...] = ()
    output: Output = "medium"
    conversation: Conversation = "single"
    pacing: Pacing = "batch"
    confused_with: str | None = None

    @property
    def wordings(self) -> tuple[str, ...]:
        """The alternative user frames (empty for a program of `turns`)."""
        return (self.user,) if isinstance(self.user, str) else self.user

    @property
    def templates(self) -> tuple[str, ...]:
        """Every template of the program: system prompt, wordings and turns."""
        system = (self.system,) if self.system else ()
        return system + self.wordings + self.turns


@lru_cache(maxsize=8192)
def template_parts(template: str) -> tuple[tuple[str, str], ...]:
    """Splits a template into (literal, slot or ""); raises ValueError on unbalanced braces."""
    parts: list[tuple[str, str]] = []
    for literal, slot, spec, conversion in string.Formatter().parse(template):
        if spec or conversion or (slot is not None and not slot.isidentifier()):
            raise ValueError(f"not a slot: {{{slot}}}; write literal braces twice")
        parts.append((literal, slot or ""))
    return tuple(parts)


def slots_of(template: str) -> tuple[str, ...]:
    """Slot names of a template in order of appearance."""
    return tuple(slot for _, slot in template_parts(template) if slot)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its slots replaced; raises KeyError when a value is missing."""
    return "".join(
        literal + values[slot] if slot else literal for literal, slot in template_parts(template)
    )


def check(program: Program) -> None:
    """Raises `BankError` when frames, slots and sources of a program do not agree."""
    if bool(program.wordings) == bool(program.turns):
        raise BankError(program.id, "needs either user or turns")
    try:
        used = {slot for template in program.templates for slot in slots_of(template)}
    except ValueError as error:
        raise BankError(program.id, str(error)) from error
    if missing := used - program.slots.keys():
        raise BankError(program.id, f"slots without a source: {sorted(missing)}")
    for slot, origin in program.slots.items():
        if isinstance(origin, str) and origin not in SOURCE_NAMES:
            raise BankError(program.id, f"slot {slot!r} names the unknown source {origin!r}")
        if not isinstance(origin, str) and not origin:
            raise BankError(program.id, f"slot {slot!r} has an empty list")


def parse_bank(name: str, text: str) -> list[Program]:
    """Programs of one file; raises `BankError` with file and line."""
    programs: list[Program] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            program = msgspec.json.decode(line.encode(), type=Program)
        except msgspec.DecodeError as error:
            raise BankError(f"{name}:{number}", str(error)) from error
        check(program)
        programs.append(program)
    return programs


@cache
def load_bank() -> tuple[Program, ...]:
    """All programs of the shipped bank, in order of file name and line; ids are unique."""
    folder = resources.files("streams.traffic") / "bank"
    programs: list[Program] = []
    seen: set[str] = set()
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".jsonl"):
            continue
        for program in parse_bank(file.name, file.read_text(encoding="utf-8")):
            if program.id in seen:
                raise BankError(program.id, "id used twice")
            seen.add(program.id)
            programs.append(program)
    return tuple(programs)
