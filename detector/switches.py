"""Applying a switch to one partition: what a control record changes, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.assessment import Scope
from detector.control import (
    Allow,
    Confirm,
    Disallow,
    ModelSwitch,
    PolicySwitch,
    SwitchRecord,
    Undo,
)
from detector.errors import ModelError
from detector.links.cleared import CLEARED, UNCLEARED, cleared
from detector.links.sighting import Sighting
from detector.outputs import Outputs
from detector.partition import Partition
from detector.pipeline import Models
from detector.policy import parse_policy
from detector.scopes import WIDTH
from detector.standing import Standing

LoadModels = Callable[[Path], Models]
"""Loads a model folder. Raises ModelError."""


class ModelShelf:
    """Models by version, each loaded once."""

    def __init__(self, present: Models, load: LoadModels) -> None:
        self._by_version = {present.version: present}
        self._load = load

    def take(self, switch: ModelSwitch) -> Models:
        """The models that a switch names. Raises ModelError."""
        found = self._by_version.get(switch.version)
        if found is None:
            folder = Path(switch.folder)
            found = self._load(folder)
            if switch.calibration:
                found = found.calibrated(Path(switch.calibration), folder)
            if found.version != switch.version:
                raise ModelError(
                    switch.folder,
                    f"holds version {found.version}, the switch names {switch.version}",
                    "apply it again with `stillwatch model apply`",
                )
            self._by_version[found.version] = found
        return found


def apply_switch(partition: Partition, switch: SwitchRecord, shelf: ModelShelf) -> Outputs:
    """Applies a switch at the partition's present place and clock.

    Raises DetectorError, with nothing changed, when it cannot be applied.
    """
    if isinstance(switch, PolicySwitch):
        policy = parse_policy(switch.text, f"policy {switch.stamp}")
        policy.check_budget(partition.calibration_accounts)
        return partition.switch_policy(policy)
    if isinstance(switch, ModelSwitch):
        models = shelf.take(switch)
        partition.policy.check_budget(len(models.scorer.card.calibration))
        partition.switch_model(models.cues, models.scorer, models.prompts)
        return Outputs()
    return _persons_word(partition, switch)


def _persons_word(partition: Partition, said: Allow | Disallow | Undo | Confirm) -> Outputs:
    book, at_s = partition.verdicts, partition.clock_s
    if isinstance(said, Allow):
        out = partition.told(book.allow(said.entry, at_s))
        entry = said.entry
        if "*" in entry.excused or "campaign" in entry.excused:
            out.sightings += _word(
                CLEARED, entry.tenant, entry.scope, entry.scope_id, at_s, entry.until_s
            )
        return out
    if isinstance(said, Disallow):
        book.disallow(said.tenant, said.scope, said.scope_id)
        out = Outputs()
        out.sightings += _word(UNCLEARED, said.tenant, said.scope, said.scope_id, at_s, None)
        return out
    if isinstance(said, Confirm):
        return partition.told(book.confirm(said.tenant, said.scope, said.scope_id, at_s))
    out = Outputs()
    for standing in book.dump():
        if standing.level != "allow" and _under(standing, said.tenant, said.scope, said.scope_id):
            changes = book.undo(
                standing.tenant,
                standing.scope,
                standing.scope_id,
                reason=said.reason,
                by=said.by,
                until_s=said.until_s,
                at_s=at_s,
            )
            out.add(partition.told(changes))
    out.sightings += _word(CLEARED, said.tenant, said.scope, said.scope_id, at_s, said.until_s)
    return out


def _word(
    kind: str, tenant: str, scope: Scope, scope_id: str, at_s: float, until_s: float | None
) -> list[Sighting]:
    """A person's word on the way to the cohort book; none of what is narrower than an account."""
    if scope not in ("account", "organisation"):
        return []
    account = scope_id if scope == "account" else ""
    organisation = scope_id if scope == "organisation" else ""
    return [
        cleared(
            kind, tenant, account=account, organisation=organisation, at_s=at_s, until_s=until_s
        )
    ]


def _under(standing: Standing, tenant: str, scope: Scope, scope_id: str) -> bool:
    """Whether a standing is on the entity or on a part of it."""
    if standing.tenant != tenant or WIDTH[standing.scope] > WIDTH[scope]:
        return False
    if scope == "organisation":
        named = standing.scope_id if standing.scope == "organisation" else standing.organisation
        return named == scope_id
    if scope == "account":
        return standing.account == scope_id
    return (standing.scope, standing.scope_id) == (scope, scope_id)
