"""The registry of baselines: the published and customary detectors that evaluation compares with.

To add one: write a file with a class that keeps to `baseline.Baseline` and put it into BASELINES.
The contract suite in tests/contracts runs over them.
"""

from __future__ import annotations

from models.baselines.bag_of_words import BagOfWords
from models.baselines.baseline import Baseline
from models.baselines.cap import Cap
from models.baselines.date import Date
from models.baselines.mahalanobis import Mahalanobis
from models.baselines.mmd import Mmd
from models.baselines.prada import Prada
from models.baselines.rate_limit import RateLimit
from models.baselines.rules import Rules
from models.baselines.seat import Seat
from models.baselines.volume_forest import VolumeForest

BASELINES: tuple[type[Baseline], ...] = (
    Mmd,
    Mahalanobis,
    Seat,
    Cap,
    Date,
    Prada,
    RateLimit,
    VolumeForest,
    Rules,
    BagOfWords,
)
