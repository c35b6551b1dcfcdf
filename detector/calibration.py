"""An operator's own calibration: the scores of own benign accounts in place of the card's table.

A small JSON file without prompts and account ids. It is for the models that it was made with, and
for no others: scores of two models cannot be compared.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.features import schema_hash

CALIBRATION_REMEDY: Final = "calibrate anew with `stillwatch calibrate FILE…`"
_GRAPHS: Final = frozenset({".onnx", ".npz"})


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The file as it is written.

    Attributes:
        classifier, cues: versions of the models, for people.
        encoder: version of the prompt encoder; "": there was none.
        models: digest of the models' files, see `models_digest`.
        schema: hash of the feature schema.
        accounts: number of accounts, n; the smallest p-value that they can state is 1 / (n + 1).
        too_short: accounts left out because they never reached a scoring point.
        excluded: accounts left out by name.
        made_from: names of the files, or the topic.
        first_event, last_event: RFC 3339, event times of the traffic.
        scores: largest score of each account over its scoring points, ascending, 0 to 1.
    """

    kind: Literal["stillwatch.calibration"] = "stillwatch.calibration"
    classifier: str
    cues: str
    models: str
    schema: str
    accounts: int
    too_short: int
    excluded: int
    made_from: tuple[str, ...]
    first_event: str
    last_event: str
    scores: tuple[float, ...]
    encoder: str = ""

    @property
    def stamp(self) -> str:
        """A digest of the scores, for versions: p-values of two calibrations are not the same."""
        return hashlib.sha256(np.array(self.scores, np.float32).tobytes()).hexdigest()[:8]

    @property
    def table(self) -> NDArray[np.float64]:
        """The scores as the scorer compares with them, ascending, shape (accounts,)."""
        return np.array(self.scores, np.float32).astype(np.float64)

    def write(self, path: Path) -> None:
        """Writes the file. Raises OSError."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def written_scores(table: NDArray[np.float64]) -> tuple[float, ...]:
    """Scores, ascending, with the nine digits that give float32 back exactly."""
    return tuple(float(f"{score:.9g}") for score in np.sort(table).tolist())


def models_digest(model_dir: Path) -> str:
    """Digest of every graph and weight file in the folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(model_dir.iterdir()):
        if path.suffix in _GRAPHS:
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def load_calibration(path: Path, model_dir: Path, encoder: str = "") -> Calibration:
    """Reads a calibration for the models in `model_dir` and the prompt encoder of that version.

    Raises ModelError: it cannot be read, its numbers are none, or it was made with other models.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(path, f"is not a calibration ({error})") from error
    scores = found.scores
    ordered = all(a <= b for a, b in pairwise(scores))
    if not scores or not ordered or not all(math.isfinite(s) and 0 <= s <= 1 for s in scores):
        raise _refused(path, "its scores are not ascending numbers from 0 to 1")
    if len(scores) != found.accounts:
        raise _refused(path, f"it names {found.accounts} accounts and holds {len(scores)} scores")
    if found.schema != schema_hash():
        raise _refused(path, f"it is for feature schema {found.schema}, not {schema_hash()}")
    present = models_digest(model_dir)
    if found.models != present:
        made_with = f"{found.classifier}/{found.cues} ({found.models})"
        raise _refused(path, f"it was made with models {made_with}, not with {present}")
    if found.encoder != encoder:
        made, here = (name or "none" for name in (found.encoder, encoder))
        raise _refused(path, f"it was made with prompt encoder {made}, here it is {here}")
    return found


def _refused(path: Path, problem: str) -> ModelError:
    return ModelError(str(path), problem, CALIBRATION_REMEDY)
