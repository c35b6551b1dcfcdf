"""Verdicts in force, and how assessments, time and persons change them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

import msgspec

from detector.allowlist import AllowEntry, AllowList
from detector.assessment import Assessment, Scope
from detector.ladder import NOTHING, Finding, find
from detector.levels import RANK, Level, milder, one_below
from detector.policy import Policy
from detector.scopes import place
from detector.standing import Key, Standing
from detector.verdict_change import Kind, VerdictChange, Versions


class VerdictBook:
    """Every verdict in force in one partition.

    The result depends only on the order of calls. Call `expire` with the partition's clock before
    each `judge` (it costs nothing while nothing ends), then the cut into batches does not matter.
    """

    def __init__(
        self, policy: Policy, model: str, feature_schema: str, allowed: Iterable[AllowEntry] = ()
    ) -> None:
        self._policy = policy
        self._versions = Versions(policy.stamp, model, feature_schema)
        self._allowed = AllowList(allowed)
        self._standings: dict[Key, Standing] = {}
        self._ends: list[tuple[float, Key]] = []
        self._queued: dict[Key, float] = {}  # the one entry of each key in the heap that counts

    def __len__(self) -> int:
        return len(self._standings)

    def level(self, tenant: str, scope: Scope, scope_id: str) -> Level:
        """The verdict in force for an entity."""
        standing = self._standings.get((tenant, scope, scope_id))
        return "allow" if standing is None else standing.level

    def judge(
        self,
        assessment: Assessment,
        *,
        clock_s: float | None = None,
        organisation: str | None = None,
    ) -> list[VerdictChange]:
        """Take one assessment into account.

        Args:
            clock_s: the partition's clock; an event time past it counts as the clock, so that a
                bad client clock gives no verdict without end.

        Returns:
            No change; or one; or two where the evidence lies in a part of the entity, whose
            verdict changes while the whole falls back to `watch`; or a suppressed finding.
        """
        at_s = assessment.at_s if clock_s is None else min(assessment.at_s, clock_s)
        target = place(self._policy, assessment)
        changes: list[VerdictChange] = []
        whole_key = (assessment.tenant, assessment.scope, assessment.scope_id)
        whole = self._standings.get(whole_key)
        if target.narrowed and whole is not None and RANK[whole.level] > RANK["watch"]:
            whole.account_requests = assessment.account_requests
            changes.append(self._lower(whole, "watch", "narrowed", at_s))
        key = (assessment.tenant, target.scope, target.scope_id)
        standing = self._standings.get(key)
        if standing is None:
            standing = Standing(
                tenant=assessment.tenant,
                scope=target.scope,
                scope_id=target.scope_id,
                account=assessment.account,
                organisation=organisation,
            )
        standing.account_requests = assessment.account_requests
        excused = self._allowed.excused(*key, standing.account, organisation, at_s)
        meant = find(self._policy, assessment, NOTHING, standing.cue_pieces)
        given = find(self._policy, assessment, excused, standing.cue_pieces) if excused else meant
        if RANK[meant.level] > RANK["allow"]:
            standing.cue_pieces = max(standing.cue_pieces, assessment.cue_pieces)
        self._standings[key] = standing
        change = self._move(standing, given, assessment.p_value, at_s)
        if change is not None:
            changes.append(change)
        if RANK[meant.level] > max(RANK[standing.level], RANK[standing.suppressed_level]):
            changes.append(self._suppress(standing, meant, at_s))
        self._settle(key, standing)
        return changes

    def expire(self, clock_s: float) -> list[VerdictChange]:
        """Lift what has ended by `clock_s`, in order of its end, then of tenant, scope and id."""
        self._allowed.expire(clock_s)
        changes: list[VerdictChange] = []
        while self._ends and self._ends[0][0] <= clock_s:
            end_s, key = heapq.heappop(self._ends)
            if self._queued.get(key) != end_s:
                continue  # an earlier end was queued since
            del self._queued[key]
            standing = self._standings.get(key)
            if standing is None:
                continue
            if standing.expires_at_s > end_s:
                self._settle(key, standing)  # renewed since: queue its later end
                continue
            if standing.level == "allow":
                del self._standings[key]
                continue
            changes.append(self._lower(standing, "allow", "expired", end_s))
            self._settle(key, standing)
        return changes

    def allow(self, entry: AllowEntry, at_s: float) -> list[VerdictChange]:
        """Apply an allow-list entry and lift the verdicts that it covers, sorted by entity."""
        self._allowed.expire(at_s)
        self._allowed.add(entry)
        changes: list[VerdictChange] = []
        for key in sorted(self._standings):
            standing = self._standings[key]
            if standing.level == "allow":
                continue
            excused = self._allowed.excused(*key, standing.account, standing.organisation, at_s)
            if "*" in excused or (standing.groups and excused.issuperset(standing.groups)):
                changes.append(self._lower(standing, "allow", "undone", at_s))
                self._settle(key, standing)
        return changes

    def undo(
        self,
        tenant: str,
        scope: Scope,
        scope_id: str,
        *,
        reason: str,
        by: str,
        until_s: float,
        at_s: float,
    ) -> list[VerdictChange]:
        """Lift a verdict and keep it lifted for the same cause until `until_s`.

        The groups that the verdict rested on are cleared, and later evidence is judged without
        them. Without a verdict in force there is no cause, and nothing is cleared.
        """
        standing = self._standings.get((tenant, scope, scope_id))
        if standing is None or standing.level == "allow":
            return []
        # A verdict may rest on numbers with no agreeing group; its undo then clears everything.
        excused = standing.groups or ("*",)
        entry = AllowEntry(
            tenant=tenant,
            scope=scope,
            scope_id=scope_id,
            reason=reason,
            until_s=until_s,
            by=by,
            excused=excused,
        )
        return self.allow(entry, at_s)

    def disallow(self, tenant: str, scope: Scope, scope_id: str) -> bool:
        """End an allow-list entry early. Returns whether there was one."""
        return self._allowed.remove(tenant, scope, scope_id)

    def confirm(self, tenant: str, scope: Scope, scope_id: str, at_s: float) -> list[VerdictChange]:
        """A person gives the proposed step. Without a proposal nothing changes."""
        key = (tenant, scope, scope_id)
        standing = self._standings.get(key)
        if standing is None or standing.proposed_level is None:
            return []
        before, standing.level = standing.level, standing.proposed_level
        standing.proposed_level = None
        standing.calm = 0
        standing.expires_at_s = at_s + self._policy.step(standing.level).expires_s
        self._settle(key, standing)
        return [self._change(standing, "confirmed", before, at_s)]

    def switch_policy(self, policy: Policy, at_s: float) -> list[VerdictChange]:
        """Judge by another policy from here on.

        Standing verdicts stay until an assessment or their end changes them; when shadow mode was
        switched, each is told again with the new `enforced`.
        """
        shadow_switched = policy.shadow != self._policy.shadow
        self._policy = policy
        self._versions = msgspec.structs.replace(self._versions, policy=policy.stamp)
        if not shadow_switched:
            return []
        return [
            self._change(standing, "switched", standing.level, at_s)
            for _, standing in sorted(self._standings.items())
            if standing.level != "allow"
        ]

    def switch_model(self, model: str, feature_schema: str) -> None:
        """Name another model on what is judged from here on."""
        self._versions = Versions(self._versions.policy, model, feature_schema)

    def dump(self) -> list[Standing]:
        """Every standing, sorted by tenant, scope and id; equal state gives equal bytes."""
        return [msgspec.structs.replace(self._standings[key]) for key in sorted(self._standings)]

    def dump_allowed(self) -> list[AllowEntry]:
        """Every allow-list entry, sorted; give it to the constructor of the next book."""
        return self._allowed.dump()

    def standings(self) -> list[Standing]:
        """Every standing itself, in no set order: to be encoded at once, and not to be kept."""
        return [*self._standings.values()]

    def load_allowed(self, entries: Iterable[AllowEntry]) -> None:
        """Take over the allow-list of a dump in place of the present one."""
        self._allowed = AllowList(entries)

    def load(self, standings: Iterable[Standing]) -> None:
        """Take over the standings of a dump in place of the present ones."""
        self._standings = {}
        self._ends = []
        self._queued = {}
        for standing in standings:
            copy = msgspec.structs.replace(standing)
            self._settle((copy.tenant, copy.scope, copy.scope_id), copy)

    def _move(
        self, standing: Standing, finding: Finding, p_value: float, at_s: float
    ) -> VerdictChange | None:
        """Raise, renew, calm or lower one standing."""
        before = standing.level
        target = finding.level
        if finding.proposed_level == before:
            target = before  # a person gave this step, and it still holds
        if RANK[target] > RANK[before]:
            standing.level = target
            standing.groups = tuple(sorted({*standing.groups, *finding.groups}))
            standing.suppressed_level = "allow"
            return self._support(standing, finding, "rose", before, at_s)
        if before == "allow":
            return None
        if target == before:
            standing.groups = tuple(sorted({*standing.groups, *finding.groups}))
            return self._support(standing, finding, "renewed", before, at_s)
        # Written so that a p-value that is no number counts as not calm.
        standing.calm = (
            standing.calm + 1 if p_value > self._policy.step(before).leave_p_value else 0
        )
        if standing.calm < self._policy.calm_points:
            return None
        return self._lower(standing, one_below(before), "fell", at_s)

    def _support(
        self, standing: Standing, finding: Finding, kind: Kind, before: Level, at_s: float
    ) -> VerdictChange:
        standing.calm = 0
        standing.reason_code = finding.reason_code
        standing.main_group = finding.main_group
        if finding.proposed_level is not None and finding.proposed_level != standing.level:
            standing.proposed_level = finding.proposed_level
        end_s = at_s + self._policy.step(standing.level).expires_s
        if finding.by_cue_rule:
            end_s = at_s + finding.expires_s
        # Support never shortens a verdict; a rise starts its own time.
        keep_s = standing.expires_at_s if kind == "renewed" else end_s
        standing.expires_at_s = max(end_s, keep_s)
        return self._change(standing, kind, before, at_s)

    def _lower(self, standing: Standing, level: Level, kind: Kind, at_s: float) -> VerdictChange:
        """Lower a standing. What it rested on stays named; a milder step never lasts longer."""
        before = standing.level
        standing.level = milder(before, level)
        standing.proposed_level = None
        standing.calm = 0
        change = self._change(standing, kind, before, at_s)
        if standing.level == "allow":
            standing.reason_code = standing.main_group = ""
            standing.groups = ()
            standing.expires_at_s = at_s + self._policy.keep_history_s
        return change

    def _suppress(self, standing: Standing, meant: Finding, at_s: float) -> VerdictChange:
        standing.suppressed_level = meant.level
        if standing.level == "allow":
            standing.expires_at_s = at_s + self._policy.keep_history_s
        change = self._change(standing, "suppressed", standing.level, at_s)
        return msgspec.structs.replace(
            change,
            proposed_level=meant.proposed_level or meant.level,
            enforced=False,
            suppressed=True,
            reason_code=meant.reason_code,
            main_group=meant.main_group,
            groups=meant.groups,
        )

    def _settle(self, key: Key, standing: Standing) -> None:
        """Keep a standing that means something and queue its end; drop any other."""
        history = standing.cue_pieces > 0 or standing.suppressed_level != "allow"
        if standing.level == "allow" and not history:
            self._standings.pop(key, None)
            return
        self._standings[key] = standing
        # One live heap entry a key: a renewal is queued when the earlier end comes up.
        if standing.expires_at_s < self._queued.get(key, math.inf):
            self._queued[key] = standing.expires_at_s
            heapq.heappush(self._ends, (standing.expires_at_s, key))

    def _change(self, standing: Standing, kind: Kind, before: Level, at_s: float) -> VerdictChange:
        return VerdictChange(
            tenant=standing.tenant,
            scope=standing.scope,
            scope_id=standing.scope_id,
            account=standing.account,
            organisation=standing.organisation,
            kind=kind,
            from_level=before,
            to_level=standing.level,
            proposed_level=standing.proposed_level,
            at_s=at_s,
            expires_at_s=None if standing.level == "allow" else standing.expires_at_s,
            enforced=not self._policy.shadow,
            suppressed=False,
            reason_code=standing.reason_code,
            main_group=standing.main_group,
            groups=standing.groups,
            account_requests=standing.account_requests,
            versions=self._versions,
        )
