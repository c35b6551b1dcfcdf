"""Inspection: file shapes, JSON lines, coverage, candidates, no prompt text in the human view."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from rich.console import Console

from streams.inspection import inspect_file, json_lines, render
from streams.intake import IntakeSettings

PROMPT = "Name a knot that holds under load and say where sailors use it."


def record(number: int, account: str | None = "acct") -> dict[str, object]:
    """An exchange of a gateway."""
    return {
        "timestamp": 1790000000 + number,
        "tenant_ref": f"t{number % 3}",
        "account": f"{account}{number}" if account else None,
        "path": "/v1/chat/completions",
        "status": 200,
        "body": {"model": "m", "messages": [{"role": "user", "content": PROMPT}]},
    }


def test_json_lines_one_an_input_record(tmp_path: Path) -> None:
    """Line numbers, format, records with absent fields left out, errors with their field."""
    path = tmp_path / "log.jsonl"
    bad = {**record(2), "timestamp": -5}
    path.write_text("\n".join([json.dumps(record(1)), "", "garbage", json.dumps(bad)]))
    first, second, third = (json.loads(line) for line in json_lines(path, IntakeSettings()))
    assert (first["line"], first["format"]) == (1, "openai")
    read = first["records"][0]
    assert read["messages"] == [{"role": "user", "text": PROMPT}]
    assert (read["account"], read["event_time_s"]) == ("acct1", 1790000001.0)
    assert "system" not in read
    assert "output_tokens" not in read
    assert second["line"] == 3
    assert "format not known" in second["error"]
    assert third["line"] == 4
    assert third["field"] == "timestamp"


@pytest.mark.parametrize("shape", ["lines", "gz", "zst", "pretty", "array", "string"])
def test_every_file_shape(tmp_path: Path, shape: str) -> None:
    """Lines, compressed files, pretty-printed documents, one array, texts inside JSON."""
    records = [record(1), record(2)]
    lines = "\n".join(json.dumps(entry) for entry in records).encode()
    path = tmp_path / {"gz": "log.jsonl.gz", "zst": "log.jsonl.zst"}.get(shape, "log.jsonl")
    path.write_bytes(
        {
            "lines": lines,
            "gz": gzip.compress(lines),
            "zst": zstandard.ZstdCompressor().compress(lines),
            "pretty": "\n".join(json.dumps(entry, indent=2) for entry in records).encode(),
            "array": json.dumps(records, indent=1).encode(),
            "string": "\n".join(json.dumps(json.dumps(entry)) for entry in records).encode(),
        }[shape]
    )
    read = [json.loads(line) for line in json_lines(path, IntakeSettings())]
    accounts = [found["account"] for entry in read for found in entry["records"]]
    assert accounts == ["acct1", "acct2"]


def test_transcript_is_one_record(tmp_path: Path) -> None:
    """Server-sent events in a file are one answer."""
    path = tmp_path / "stream.txt"
    path.write_text(
        'data: {"model":"m","choices":[{"delta":{"content":"a"}}]}\n\n'
        'data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n'
    )
    (read,) = (json.loads(line) for line in json_lines(path, IntakeSettings()))
    assert read["records"][0]["output_text"] == "ab"


def test_report_counts_coverage_and_candidates(tmp_path: Path) -> None:
    """Coverage in requests, unattributed ones, candidate paths with distinct values."""
    path = tmp_path / "log.jsonl"
    entries = [record(number, None if number % 2 else "acct") for number in range(10)]
    path.write_text("\n".join(json.dumps(entry) for entry in entries) + "\nnot a record\n")
    report = inspect_file(path, IntakeSettings())
    assert (report.records, report.requests, report.unattributed) == (11, 10, 5)
    assert report.coverage["model"].requests == 10
    assert report.errors.total() == 1
    found = {candidate.path: candidate for candidate in report.candidates}
    assert len(found["tenant_ref"].distinct) == 3
    assert found["account"].records == 5


def test_human_view_shows_no_prompt(tmp_path: Path) -> None:
    """Prompts are shown by length and their first 40 characters; control codes are taken out."""
    path = tmp_path / "log.jsonl"
    entry = record(1)
    entry["body"] = {"model": "m\x1b[31m", "messages": [{"role": "user", "content": PROMPT}]}
    path.write_text(json.dumps(entry))
    out = io.StringIO()
    render(inspect_file(path, IntakeSettings()), Console(file=out, width=200))
    text = out.getvalue()
    assert "openai" in text
    assert "100 %" in text
    assert PROMPT not in text
    assert PROMPT[:40] in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("without", "tenant_ref", "advice"),
    [
        (1, False, "1 requests have no account"),
        (6, False, "6 requests have no account: set account_from to the path where it is"),
        (1, True, "1 requests have no account: set account_from to another of the paths below"),
        (10, True, "10 requests have no account: set account_from to one of the paths below"),
    ],
)
def test_advice_only_where_it_helps(
    tmp_path: Path, without: int, tenant_ref: bool, advice: str
) -> None:
    """A path in use is no advice: another one has to exist, or most requests lack an account."""
    path = tmp_path / "log.jsonl"
    entries = [record(number, None if number < without else "acct") for number in range(10)]
    if not tenant_ref:
        for entry in entries:
            del entry["tenant_ref"]
    path.write_text("\n".join(map(json.dumps, entries)))
    out = io.StringIO()
    render(inspect_file(path, IntakeSettings()), Console(file=out, width=200))
    assert advice in [line.rstrip() for line in out.getvalue().splitlines()]
