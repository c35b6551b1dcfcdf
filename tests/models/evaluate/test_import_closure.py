"""A cached stage is keyed by all code that decides it and by none that does not."""

from __future__ import annotations

from models.evaluate.cache import READERS, code_digest
from models.evaluate.import_closure import ROOT, import_closure


def names(*modules: str) -> set[str]:
    """Paths of the closure, relative to the checkout."""
    return {str(p.relative_to(ROOT)) for p in import_closure(modules)}


def test_training_depends_on_features_and_not_on_the_service() -> None:
    """What training imports through others is there; the API, the worker and the log are not."""
    found = names("models.train")
    assert {"models/train.py", "models/workshop.py", "detector/features/harvest.py"} <= found
    assert {"detector/cues.py", "streams/traffic/bank.py", "streams/__init__.py"} <= found
    assert not {n for n in found if n.startswith(("detector/api", "detector/worker"))}
    assert not {n for n in found if n.startswith(("streams/kafka", "models/evaluate"))}


def test_traffic_does_not_depend_on_the_model() -> None:
    """Composed accounts stay in the cache when features or training change."""
    found = names("models.evaluate.compose")
    assert "streams/traffic/personas.py" in found
    assert not {n for n in found if n.startswith(("detector/features", "models/train"))}
    assert not {"models/workshop.py", "models/texts.py", "detector/cues.py"} & found


def test_a_module_of_others_adds_nothing() -> None:
    """Foreign modules and names that are no modules are passed over."""
    assert names("numpy.typing", "streams.nowhere") == {"streams/__init__.py"}
    assert code_digest(["models.train"]) != code_digest(["models.train"], READERS)
