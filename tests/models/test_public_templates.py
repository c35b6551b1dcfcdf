"""Templates of the data folder become programs that the bank would accept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from models.public_templates import read_templates, source_of
from streams.traffic.bank import check, fill
from streams.traffic.sources import SOURCE_NAMES

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared")) / "data"


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "templates").is_dir(), reason=f"no data folder at {DATA}")
def test_every_template_is_a_sound_program() -> None:
    """Each row gives one program that passes the bank's check, under its own id and origin."""
    found = read_templates(DATA)
    assert len(found) > 100
    for program, origin in found:
        check(program)
        assert origin
    assert len({p.id for p, _ in found}) == len(found)
    assert {p.label for p, _ in found} == {"extraction", "benign"}


def test_frames_keep_their_braces(tmp_path: Path) -> None:
    """Named slots are filled, every other brace stays; a template without a user frame becomes a
    chat; without the folder there is nothing."""
    assert read_templates(tmp_path) == []
    row = {"id": "a", "kind": "extraction", "origin": "o", "role": "dialogue", "lang": "en",
           "user": 'Give {"q": "{main topic}"} twice',
           "slots": {"main topic": "a subject"}}  # fmt: skip
    bare = {"id": "b", "kind": "hard_negative", "origin": "o", "role": "translate", "lang": "de",
            "system": "Übersetze."}  # fmt: skip
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, (row, bare))))
    (one, _), (two, _) = read_templates(tmp_path)
    check(one)
    check(two)
    assert fill(one.wordings[0], {"s0": "ice"}) == 'Give {"q": "ice"} twice'
    assert (one.kind, one.label, one.slots) == ("selfchat", "extraction", {"s0": "topic"})
    assert (two.kind, two.label, two.wordings) == ("translation", "benign", ("{message}",))


def test_sources_exist() -> None:
    """Whatever a slot is called, its source is one that can be drawn from."""
    names = ("question", "the answer", "n_items", "language", "对话", "zzz", "")
    assert {source_of(name, "") for name in names} <= SOURCE_NAMES
    assert source_of("x", "number of items") == "number"
    assert source_of("zzz", "") == "passage"
