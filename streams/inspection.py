"""`stillwatch inspect`: what Stillwatch reads in a log, before anything is decided with it.

A report for people (formats, coverage of each field, where an account might be, errors by reason)
and JSON lines for programs, one an input record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.account_candidates import Candidate, Candidates
from streams.errors import MalformedRecord
from streams.inspection_lines import records_of
from streams.intake import Intake, IntakeSettings
from streams.json_bytes import decode_json
from streams.record import ApiRequest

_PRIVATE = frozenset({"messages", "system", "output_text", "tools", "response_format"})
_SHOWN_CHARS = 40
_NOT_SHOWN = frozenset({"tenant", "truncated"})


@dataclass(slots=True)
class Coverage:
    """How many requests have a field, and one of its values (texts shortened)."""

    requests: int = 0
    example: str = ""


@dataclass(slots=True)
class Report:
    """What was read in one file."""

    path: Path
    records: int = 0
    requests: int = 0
    empty: int = 0
    """Records that are valid and hold no request (control messages, other spans)."""
    sources: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    first_error: dict[str, int] = field(default_factory=dict)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    account_paths: Counter[str] = field(default_factory=Counter)
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def unattributed(self) -> int:
        """Requests without an account."""
        have = self.coverage.get("account")
        return self.requests - (have.requests if have else 0)

    @property
    def other_candidates(self) -> list[Candidate]:
        """Places where an account might be and none was read from, most telling first."""
        return [found for found in self.candidates if found.path not in self.account_paths]


def inspect_file(path: Path, settings: IntakeSettings, most_records: int | None = None) -> Report:
    """Reads a file (or its first `most_records` records) and tells what was understood."""
    intake = Intake(settings)
    report = Report(path)
    candidates = Candidates()
    for number, value in records_of(path):
        if most_records is not None and report.records >= most_records:
            break
        report.records += 1
        try:
            requests = intake.read(value, record_time_s=None)
        except MalformedRecord as error:
            reason = str(error)
            report.errors[reason] += 1
            report.first_error.setdefault(reason, number)
            continue
        if not requests:
            report.empty += 1
        candidates.add(decode_json(value))
        for request in requests:
            _count(report, request)
    report.candidates = candidates.ranked()
    return report


def json_lines(path: Path, settings: IntakeSettings) -> Iterator[str]:
    """One JSON text an input record: its line, format and requests, or its line and the error."""
    intake = Intake(settings)
    for number, value in records_of(path):
        out: dict[str, Any] = {"line": number}
        try:
            name, requests = intake.read_named(value, record_time_s=None)
            out["format"] = name
            out["records"] = [plain(request) for request in requests]
        except MalformedRecord as error:
            out["error"] = str(error)
            if error.field:
                out["field"] = error.field
        yield msgspec.json.encode(out).decode()


def plain(request: ApiRequest) -> dict[str, Any]:
    """A request as a flat object, absent fields left out."""
    out: dict[str, Any] = msgspec.to_builtins(request)
    if request.messages is not None:
        out["messages"] = [{"role": m.role, "text": m.text} for m in request.messages]
    return out


def _count(report: Report, request: ApiRequest) -> None:
    report.requests += 1
    report.sources[request.source] += 1
    if request.account_path:
        report.account_paths[request.account_path] += 1
    for name in ApiRequest.__struct_fields__:
        value = getattr(request, name)
        if value is None or name in _NOT_SHOWN:
            continue
        found = report.coverage.setdefault(name, Coverage())
        found.requests += 1
        if not found.example:
            found.example = example_of(name, value)


def example_of(name: str, value: object) -> str:
    """A value to show: prompt text only by length and first 40 characters, control codes out."""
    if name == "messages" and isinstance(value, list):
        text = value[-1].text if value else ""
        return f"{len(value)} entries, last {len(text)} chars: {_short(text)}"
    text = str(value)
    if name in _PRIVATE:
        return f"{len(text)} chars: {_short(text)}"
    return _short(text, 60)


def _short(text: str, most: int = _SHOWN_CHARS) -> str:
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text[: most + 1])
    return clean[:most] + ("…" if len(text) > most else "")


def render(report: Report, console: Console) -> None:
    """Prints the report for people."""
    console.print(
        Text.assemble(
            ("inspect ", "bold"),
            str(report.path),
            f": {report.records} records, "
            f"{report.requests} requests, {report.empty} without a request, "
            f"{report.errors.total()} not readable",
        )
    )
    sources = Table(title="formats recognised", title_justify="left")
    sources.add_column("format")
    sources.add_column("requests", justify="right")
    for name, number in report.sources.most_common():
        sources.add_row(name, str(number))
    console.print(sources)
    _render_fields(report, console)
    _render_accounts(report, console)
    if report.errors:
        table = Table(title="records that could not be read", title_justify="left")
        table.add_column("reason")
        table.add_column("records", justify="right")
        table.add_column("first line", justify="right")
        for reason, number in report.errors.most_common(20):
            table.add_row(Text(reason), str(number), str(report.first_error[reason]))
        console.print(table)


def _render_fields(report: Report, console: Console) -> None:
    if not report.requests:
        return
    fields = Table(title="fields", title_justify="left")
    fields.add_column("field")
    fields.add_column("read in", justify="right")
    fields.add_column("example")
    for name in ApiRequest.__struct_fields__:
        found = report.coverage.get(name)
        if found is not None:
            share = 100.0 * found.requests / report.requests
            fields.add_row(name, f"{share:.0f} %", Text(found.example))
    console.print(fields)
    missing = [
        name
        for name in ApiRequest.__struct_fields__
        if name not in report.coverage and name not in _NOT_SHOWN
    ]
    console.print(Text("not in this log: " + (", ".join(missing) or "nothing"), style="dim"))


def _render_accounts(report: Report, console: Console) -> None:
    for path, number in report.account_paths.most_common(5):
        console.print(Text(f"account read from {path} ({number} requests)"))
    if report.unattributed:
        console.print(
            Text(f"{report.unattributed} requests have no account{_advice(report)}", "yellow")
        )
    if not report.candidates:
        return
    table = Table(title="where an account might be", title_justify="left")
    table.add_column("path (for account_from)")
    table.add_column("records", justify="right")
    table.add_column("distinct", justify="right")
    for candidate in report.candidates[:15]:
        table.add_row(Text(candidate.path), str(candidate.records), str(len(candidate.distinct)))
    console.print(table)


def _advice(report: Report) -> str:
    """What to do about requests without an account; "" where the log holds no better place."""
    if report.other_candidates:
        other = "another" if report.account_paths else "one"
        return f": set account_from to {other} of the paths below"
    if 2 * report.unattributed > report.requests:
        return ": set account_from to the path where it is"
    return ""
