"""Real prompts split by their hash: what is learnt from, and what judged accounts send.

The data folder keeps duplicates across its files on purpose, so a split by row or by file would
leak. Two folders laid out like it are made in the cache; everything that trains reads the first,
everything that is judged the second, and neither code has to know of the split.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import mkdtemp

from models.evaluate.cache import data_digest, digest

JUDGED_SHARE = 0.5
"""Of all different prompts; judged accounts repeat no more than those of training then."""

_DONE = "whole"


@dataclass(frozen=True, slots=True)
class SplitData:
    """Folders laid out like the data folder's data/, disjoint in their prompts.

    Attributes:
        training: what models and baselines learn from. judged: what judged accounts draw from.
        Templates and whatever else is no prompt file are in both: those are split by origin.
    """

    training: Path
    judged: Path


def split_data(data: Path | None, cache: Path) -> SplitData | None:
    """Both sides of a data folder, made once in `cache`; None where there is no folder."""
    if data is None:
        return None
    home = cache / "split" / digest(data_digest(data), JUDGED_SHARE)
    if not (home / _DONE).exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        work = Path(mkdtemp(dir=home.parent))
        for path in sorted(p for p in data.rglob("*") if p.is_file()):
            _part(path, path.relative_to(data), work)
        (work / _DONE).touch()
        shutil.rmtree(home, ignore_errors=True)
        os.replace(work, home)
    return SplitData(home / "training", home / "judged")


def judged_prompt(prompt: str) -> bool:
    """Whether a prompt is one for judged accounts: by the hash of its words, whatever their case
    and spacing."""
    words = " ".join(prompt.casefold().split())
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest()[0] < (
        256 * JUDGED_SHARE
    )


def _part(path: Path, name: Path, work: Path) -> None:
    sides = [work / "training" / name, work / "judged" / name]
    for side in sides:
        side.parent.mkdir(parents=True, exist_ok=True)
    if name.parts[0] != "prompts" or not path.name.endswith(".jsonl.gz"):
        if path.suffix in (".csv", ".jsonl"):  # the rest (traces, notes) nobody here reads
            for side in sides:
                shutil.copyfile(path, side)
        return
    with (
        gzip.open(path, "rb") as lines,
        _written(sides[0]) as training,
        _written(sides[1]) as judged,
    ):
        for line in lines:
            found = json.loads(line)
            (judged if judged_prompt(str(found["prompt"])) else training).write(line)


def _written(path: Path) -> gzip.GzipFile:
    """A file to write whose bytes depend on its content alone: digests of it are cache keys."""
    return gzip.GzipFile(path, "wb", compresslevel=1, mtime=0.0)
