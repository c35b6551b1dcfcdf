"""No prompt that judged accounts send is one that training read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from models.evaluate.cache import data_digest
from models.evaluate.split_data import judged_prompt, split_data

PROMPTS = [f"please explain the number {i} to me" for i in range(200)]


def folder(home: Path) -> Path:
    """A small data folder: two files that share prompts, a licence table, templates."""
    (home / "prompts").mkdir(parents=True)
    (home / "templates").mkdir()
    for name, some in (("one", PROMPTS[:120]), ("two", [p.upper() + " " for p in PROMPTS[80:]])):
        lines = "".join(json.dumps({"prompt": p, "id": p}) + "\n" for p in some)
        (home / f"prompts/{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    (home / "index.csv").write_text("file,kind,rows,licence_class,train_shipped_model\n", "utf-8")
    (home / "templates/benign.jsonl").write_text("{}\n", "utf-8")
    return home


def prompts(side: Path) -> set[str]:
    """The different prompts of one side, case and spacing aside."""
    found: set[str] = set()
    for path in side.glob("prompts/*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found |= {" ".join(json.loads(line)["prompt"].lower().split()) for line in lines}
    return found


def test_sides_share_no_prompt_across_files(tmp_path: Path) -> None:
    """A prompt is on one side in whatever file and spelling it stands; none is lost, and what is no
    prompt is on both."""
    split = split_data(folder(tmp_path / "data"), tmp_path / "cache")
    assert split is not None
    training, judged = prompts(split.training), prompts(split.judged)
    assert not training & judged
    assert training | judged == set(PROMPTS)
    assert 60 < len(judged) < 140
    for side in (split.training, split.judged):
        assert (side / "index.csv").exists()
        assert (side / "templates/benign.jsonl").exists()


def test_a_split_is_made_once(tmp_path: Path) -> None:
    """The same folder gives the same sides again, to the byte in an empty cache too; a changed one
    gives others, no folder none."""
    cache = tmp_path / "cache"
    first = split_data(folder(tmp_path / "one"), cache)
    assert first == split_data(folder(tmp_path / "same"), cache)
    changed = folder(tmp_path / "changed")
    (changed / "templates/benign.jsonl").write_text("{}\n{}\n", "utf-8")
    assert split_data(changed, cache) != first
    assert split_data(None, cache) is None
    again = split_data(folder(tmp_path / "again"), tmp_path / "empty")
    assert first is not None
    assert again is not None
    assert data_digest(again.judged) == data_digest(first.judged)


def test_spelling_does_not_move_a_prompt() -> None:
    """Case and spaces do not change a prompt's side."""
    for prompt in PROMPTS:
        assert judged_prompt(prompt) == judged_prompt(f"  {prompt.upper()}\n")
