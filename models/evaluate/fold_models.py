"""Our models, one a fold, trained by the workshop's own `train_on` without the fold's units."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.accounts import tool_of
from models.evaluate.cache import READERS, code_digest, data_digest, digest
from models.evaluate.compose import Job
from models.evaluate.reference import reference_accounts, with_reference
from models.evaluate.split_data import split_data
from models.evaluate.units import World, held_out, thinned_away, tool_fold
from models.train import train_on
from models.workshop import gather

LITERATURE = 1000
"""Added to a fold: its model trained with the benign reference accounts of the literature's data
set besides, as every baseline is there."""


TOOLS = 2000
"""From here on models go without a fold of captured tools and with everything else."""


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


def model_of(job: Job) -> int:
    """Number of the model that judges an account: its fold's, or in the literature's setting the
    fold's with the reference."""
    return job.fold + LITERATURE if job.cell.setting == "literature" else job.fold


def tool_models(world: World, captures: Path | None) -> list[int]:
    """Models that judge the captured tools."""
    return sorted({TOOLS + tool_fold(t, world.folds) for t in captured_tools(captures)})


def unseen(world: World, folders: Folders, model: int) -> frozenset[str]:
    """Every unit that the training of a model goes without."""
    tools = captured_tools(folders.captures)
    if model >= TOOLS:
        out = frozenset(f"tool {t}" for t in tools if TOOLS + tool_fold(t, world.folds) == model)
        return out | thinned_away(world, folders.judged)
    fold = model - LITERATURE if model >= LITERATURE else model
    return held_out(world, fold, tools) | thinned_away(world, folders.judged)


def model_folders(
    world: World, folders: Folders, models: Sequence[int], *, seed: int, thin: bool
) -> Mapping[int, Path]:
    """Model -> its folder, named by the content of all that decides it."""
    code = code_digest(["models.train"])
    reference = code_digest(["models.evaluate.reference"], READERS)
    base = (code, data_digest(folders.training, folders.captures), seed, thin)
    return {
        model: folders.cache
        / "models"
        / digest(
            (base, reference) if LITERATURE <= model < TOOLS else base,
            sorted(unseen(world, folders, model)),
        )
        for model in models
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
    job = partial(_train, folders, world, seed, thin)
    tasks = [
        (path, unseen(world, folders, m), LITERATURE <= m < TOOLS) for m, path in missing.items()
    ]
    # many small products: BLAS threads of several processes would only wait for each other
    with ProcessPoolExecutor(max(1, workers), initializer=threadpool_limits, initargs=(1,)) as pool:
        for fold, _ in zip(missing, pool.map(job, tasks), strict=True):
            done(fold)


def _train(
    folders: Folders,
    world: World,
    seed: int,
    thin: bool,
    task: tuple[Path, frozenset[str], bool],
) -> None:
    path, without, literature = task
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(dir=path.parent))
    material = gather(folders.training, folders.captures, seed, _silent, thin=thin, without=without)
    if literature:
        material = with_reference(material, reference_accounts(world, seed, folders.training))
    train_on(material, work, version=f"fold-{path.name}", seed=seed, step=_silent)
    shutil.rmtree(path, ignore_errors=True)
    work.rename(path)


def _silent(text: str) -> None:
    """The progress bar counts folds, not steps."""
