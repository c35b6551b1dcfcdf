"""The table of verdicts in force."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.levels import RANK
from detector.output_records import output_records
from detector.outputs import Outputs
from detector.verdict_change import VerdictChange
from detector.verdict_table import VerdictTable
from streams.log import LogRecord
from streams.partitioner import partition_for
from tests.detector.api.api_case import NOW_S, verdict


def records(*changes: VerdictChange, partitions: int = 4) -> list[LogRecord]:
    """The changes as read back from the topic."""
    found = []
    for offset, out in enumerate(output_records(Outputs(verdicts=list(changes)))):
        at = partition_for(out.partition_key, partitions) if out.partition_key else 0
        found.append(
            LogRecord(
                out.topic, at, offset, out.key, out.value or b"", out.timestamp_s,
                tombstone=out.value is None,
            )
        )  # fmt: skip
    return found


def table_of(*changes: VerdictChange) -> VerdictTable:
    """A table that read these changes."""
    table = VerdictTable()
    table.apply(records(*changes))
    return table


def level(table: VerdictTable, now_s: float = NOW_S, tenant: str = "default", **asked: Any) -> str:
    """The level enforced."""
    found = table.enforced(tenant, now_s, **asked)
    return "allow" if found is None else found.level


def test_the_last_record_of_an_entity_counts_and_a_tombstone_lifts() -> None:
    """Rise, fall, lift."""
    table = table_of(verdict("block"), verdict("watch"))
    assert level(table, account="acme") == "watch"
    table.apply(records(verdict("allow")))
    assert level(table, account="acme") == "allow"
    assert len(table) == 0
    assert table.of_account("default", "acme", NOW_S) == []


def test_an_organisation_is_judged_by_the_hardest_of_its_partitions() -> None:
    """Accounts of one organisation lie on several partitions; one's fall is not the other's."""
    org: dict[str, Any] = {"scope": "organisation", "scope_id": "org"}
    first, second = verdict("block", account="a", **org), verdict("watch", account="d", **org)
    assert len({r.partition for r in records(first, second)}) == 2
    table = table_of(first, second)
    assert level(table, organisation="org") == "block"
    table.apply(records(verdict("allow", account="a", **org)))
    assert level(table, organisation="org") == "watch"


def test_a_renewed_end_counts_and_the_old_one_drops_nothing() -> None:
    """The caller's clock ends a verdict at its last told end."""
    table = table_of(verdict(expires_in_s=10.0), verdict(expires_in_s=20.0))
    assert table.drop_expired(NOW_S + 15.0) == 0
    assert level(table, NOW_S + 15.0, account="acme") == "block"
    assert level(table, NOW_S + 20.0, account="acme") == "allow"
    assert table.drop_expired(NOW_S + 20.0) == 1
    assert len(table) == 0


def test_memory_is_bounded_by_what_is_in_force() -> None:
    """A verdict renewed 20,000 times leaves one row and no pile of old ends; expired ones go."""
    table = VerdictTable()
    for number in range(20_000):
        table.apply(records(verdict(expires_in_s=10.0 + number)))
    assert len(table) == 1
    assert len(table._ends) < 2000
    table.apply(records(*(verdict(scope_id=f"a{n}", account=f"a{n}") for n in range(500))))
    assert table.drop_expired(NOW_S + 3600.0) == 500
    assert len(table) == 1


def test_the_account_page_sees_shadow_verdicts_and_parts() -> None:
    """Everything unexpired under an account, hardest first, other accounts' and tenants' not."""
    table = table_of(
        verdict("watch"),
        verdict("restrict", scope="key", scope_id="k"),
        verdict("throttle", scope="end_user", scope_id="u", enforced=False),
        verdict("block", scope_id="b", account="b"),
        verdict("block", tenant="other"),
        verdict("block", scope="key", scope_id="old", expires_in_s=-1.0),
    )
    found = table.of_account("default", "acme", NOW_S)
    assert [(one.to_level, one.scope) for one in found] == [
        ("restrict", "key"), ("throttle", "end_user"), ("watch", "account"),
    ]  # fmt: skip
    assert table.levels(NOW_S) == {"watch": 1, "throttle": 1, "restrict": 1, "block": 2}


def test_clear_forgets_everything() -> None:
    """As before the topic is read anew."""
    table = table_of(verdict("block"))
    table.clear()
    assert level(table, account="acme") == "allow"
    assert table.drop_expired(math.inf) == 0


CHANGES = st.lists(
    st.builds(
        lambda lvl, scope, number, account, ends, enforced: verdict(
            lvl,
            scope=scope,
            scope_id=f"{scope}{number}",
            account=account,
            expires_in_s=ends,
            enforced=enforced,
        ),
        st.sampled_from(list(RANK)),
        st.sampled_from(["account", "key", "end_user", "organisation"]),
        st.integers(0, 2),
        st.sampled_from(["a", "b"]),
        st.sampled_from([None, 1.0, 5.0, 9.0]),
        st.booleans(),
    ),
    max_size=25,
)


@given(changes=CHANGES, now=st.sampled_from([0.0, 1.0, 4.0, 6.0, 20.0]), drop=st.booleans())
def test_as_a_plain_list_would_tell(
    changes: Sequence[VerdictChange], now: float, drop: bool
) -> None:
    """Against the definition: the last word of each partition on each entity, filtered, maximum."""
    table = table_of(*changes)
    if drop:
        table.drop_expired(NOW_S + now)
    last = {
        (r.partition, r.key): change for r, change in zip(records(*changes), changes, strict=True)
    }
    for scope in ("account", "key", "end_user", "organisation"):
        for number in range(3):
            ranks = [
                RANK[one.to_level]
                for one in last.values()
                if (one.scope, one.scope_id) == (scope, f"{scope}{number}")
                and one.enforced
                and (one.expires_at_s is None or one.expires_at_s > NOW_S + now)
            ]
            told = level(table, NOW_S + now, **{scope: f"{scope}{number}"})
            assert RANK[told] == max(ranks, default=0)  # type: ignore[index]
