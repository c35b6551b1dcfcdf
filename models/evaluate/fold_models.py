"""Our models, one a fold, trained by the workshop's own `train_on` without the fold's units."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.accounts import tool_of
from models.evaluate.cache import code_digest, data_digest, digest
from models.evaluate.split_data import split_data
from models.evaluate.units import World, held_out, thinned_away
from models.train import train_on
from models.workshop import gather


@dataclass(frozen=True, slots=True)
class Folders:
    """What an evaluation reads and where it keeps what it made.

    Attributes:
        training: laid out like the data folder's data/, or None: what is learnt from.
        judged: the same, with other prompts: what judged accounts send.
        captures: laid out like its captures/, or None.
        cache: folder of cached stages.
    """

    training: Path | None
    judged: Path | None
    captures: Path | None
    cache: Path


def split_folders(data: Path | None, captures: Path | None, cache: Path) -> Folders:
    """Splits the data folder by prompt hash."""
    split = split_data(data, cache)
    if split is None:
        return Folders(None, None, captures, cache)
    return Folders(split.training, split.judged, captures, cache)


def captured_tools(captures: Path | None) -> list[str]:
    """Tools of the captures that count."""
    if captures is None:
        return []
    stems = [p.name.removesuffix(".jsonl.gz") for p in captures.glob("[AB]_*.jsonl.gz")]
    return sorted({tool_of(stem) for stem in stems})


def unseen(world: World, folders: Folders, fold: int) -> frozenset[str]:
    """Every unit that the training for a fold goes without."""
    tools = captured_tools(folders.captures)
    return held_out(world, fold, tools) | thinned_away(world, folders.judged)


def model_folders(
    world: World, folders: Folders, folds: list[int], *, seed: int, thin: bool
) -> Mapping[int, Path]:
    """Fold -> folder of its model, named by the content of all that decides it."""
    code = code_digest(["models.train"])
    base = (code, data_digest(folders.training, folders.captures), seed, thin)
    return {
        fold: folders.cache / "models" / digest(base, sorted(unseen(world, folders, fold)))
        for fold in folds
    }


def is_trained(path: Path) -> bool:
    """Whether a fold's model is there: its folder appears whole or not at all."""
    return (path / "cues.json").exists()


def train_folds(
    world: World,
    folders: Folders,
    wanted: Mapping[int, Path],
    *,
    seed: int,
    thin: bool,
    workers: int,
    done: Callable[[int], None],
) -> None:
    """Trains what is not there yet; `done` is told each fold."""
    missing = {fold: path for fold, path in wanted.items() if not is_trained(path)}
    for fold in wanted.keys() - missing.keys():
        done(fold)
    job = partial(_train, folders, seed, thin)
    tasks = [(path, unseen(world, folders, fold)) for fold, path in missing.items()]
    # many small products: BLAS threads of several processes would only wait for each other
    with ProcessPoolExecutor(max(1, workers), initializer=threadpool_limits, initargs=(1,)) as pool:
        for fold, _ in zip(missing, pool.map(job, tasks), strict=True):
            done(fold)


def _train(folders: Folders, seed: int, thin: bool, task: tuple[Path, frozenset[str]]) -> None:
    path, without = task
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(dir=path.parent))
    material = gather(folders.training, folders.captures, seed, _silent, thin=thin, without=without)
    train_on(material, work, version=f"fold-{path.name}", seed=seed, step=_silent)
    shutil.rmtree(path, ignore_errors=True)
    work.rename(path)


def _silent(text: str) -> None:
    """The progress bar counts folds, not steps."""
