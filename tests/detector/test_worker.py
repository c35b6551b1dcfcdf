"""The worker on the in-process log: equal to the pipeline, exactly once, switches in place."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detector.allowlist import AllowEntry
from detector.control import (
    CONTROL,
    Allow,
    Applied,
    Confirm,
    Disallow,
    ModelSwitch,
    PolicySwitch,
    SwitchRecord,
    Undo,
    read_control,
)
from detector.errors import BadTopic, ModelError
from detector.output_records import ALERTS, DEAD_LETTERS, TOPICS, VERDICTS
from detector.pipeline import load_models
from detector.policy import parse_policy
from detector.verdict_change import VerdictChange
from detector.worker import Worker
from streams.envelope import decode, read_data
from streams.log import Fenced, LogFull, LogRecord, OutputRecord, TopicPartition
from streams.memory_log import MemoryLog
from streams.memory_store import TopicSettings
from tests.detector.runs import released
from tests.detector.tiny_models import write_tiny_models
from tests.detector.worker_rig import (
    GROUP,
    INPUT,
    PARTITIONS,
    POLICY_TEXT,
    State,
    Told,
    directly,
    drain,
    ends,
    new_log,
    new_worker,
    read_all,
    say,
    small_day,
    states,
    told,
)

SHADOW_TEXT = POLICY_TEXT.replace("shadow = false", "shadow = true").replace(
    'version = "', 'version = "shadow-'
)
BY = {"by": "analyst", "reason": "a test"}
FAR_S = 4e9


@cache
def wanted() -> tuple[dict[int, State], Told]:
    """What the pipeline itself says of the day."""
    return directly(new_log(small_day()))


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_worker_says_what_the_pipeline_says(size: int) -> None:
    """In batches of 1, 7 and 5,000: the same alerts, verdicts and scores per partition in the same
    order, the same state in canonical form, all offsets committed, and there are alerts."""
    log = new_log(small_day())
    worker = new_worker(log, size=size)
    drain(worker, log=log)
    state, outputs = wanted()
    assert states(worker) == state
    assert told(log) == outputs
    assert sum(map(len, outputs[ALERTS].values())) > 5
    worker.close()
    after = log.consumer(GROUP, [INPUT], member_id="look")
    after.poll(1, 0.0)
    assert {at.partition: end for at, end in after.committed().items()} == ends(log, INPUT)


def run_to(worker: Worker, log: MemoryLog, share: float) -> None:
    """Turns a worker until it committed that share of the topic."""
    total = sum(ends(log, INPUT).values())
    done = 0
    for _ in range(100_000):
        done += worker.turn()
        if done >= share * total:
            return
    raise AssertionError("the worker does not come on")


def test_restarts_change_nothing() -> None:
    """Workers that die between transactions, one after the other, give the same outputs and the
    same state as one that runs through."""
    log = new_log(small_day())
    for number in range(4):
        run_to(new_worker(log, size=101, member=f"w{number}"), log, 0.2)
        log.expire_member(GROUP, f"w{number}")  # killed: it never left by itself
    last = new_worker(log, size=101, member="last")
    drain(last, log=log)
    state, outputs = wanted()
    assert states(last) == state
    assert told(log) == outputs


def test_a_rebalance_hands_state_over() -> None:
    """A second worker takes half of the partitions, rebuilds them and goes on; when it leaves, the
    first takes them back. Outputs and state are those of one worker."""
    log = new_log(small_day())
    first = new_worker(log, size=64, member="first")
    run_to(first, log, 0.3)
    second = new_worker(log, size=64, member="second")
    done = 0
    for _ in range(100):
        first.turn()
        done += second.turn()
        if done >= 50 and len(first.shards) == len(second.shards) == PARTITIONS // 2:
            break
    assert len(first.shards) == len(second.shards) == PARTITIONS // 2
    second.close()
    drain(first, log=log)
    state, outputs = wanted()
    assert states(first) == state
    assert told(log) == outputs


def test_a_long_rebuild_lets_the_others_go_on() -> None:
    """While a partition is rebuilt slice by slice the worker's other partitions are handled."""
    log = new_log(small_day())
    first = new_worker(log, size=2000, member="first")
    second = new_worker(log, size=50, member="second")
    for _ in range(3):
        first.turn()
        second.turn()
    log.expire_member(GROUP, "first")
    before = sum(s.next_offset for s in second.shards.values())
    seen = False
    for _ in range(1000):
        if len(second.shards) == PARTITIONS:
            break
        second.turn()
        after = sum(s.next_offset for s in second.shards.values())
        seen = seen or (after > before and len(second.shards) < PARTITIONS)
    assert seen
    drain(second, log=log)
    assert states(second) == wanted()[0]


def accused(outputs: Told) -> tuple[str, str]:
    """Tenant and account of the first alert of the day."""
    for records in outputs[ALERTS].values():
        for key, _ in records:
            if key is not None:
                return "default", key.decode()
    raise AssertionError("no alert")


def entry(account: str) -> AllowEntry:
    """A full entry for an account, without end."""
    return AllowEntry(
        tenant="default", scope="account", scope_id=account, reason="known", until_s=FAR_S, by="me"
    )


def switches_of(account: str, models: Path) -> list[SwitchRecord]:
    """One switch of each kind."""
    return [
        PolicySwitch(**BY, text=SHADOW_TEXT, stamp=parse_policy(SHADOW_TEXT, "x").stamp),
        Undo(**BY, tenant="default", scope="account", scope_id=account, until_s=FAR_S),
        Allow(**BY, entry=entry("somebody")),
        ModelSwitch(**BY, folder=str(models), version="tiny/test"),
        Disallow(**BY, tenant="default", scope="account", scope_id="somebody"),
        Confirm(**BY, tenant="default", scope="account", scope_id=account),
    ]


def test_switches_repeat_in_a_rebuild(tmp_path: Path) -> None:
    """Each switch takes effect where its marker says. A worker started afterwards rebuilds the very
    state, a worker that dies after each switch gives the same outputs, and a pipeline in which the
    switches were left out does not."""
    folder = write_tiny_models(tmp_path)
    tiny = load_models(folder)
    account = accused(wanted()[1])[1]
    switches = switches_of(account, folder)
    switches[3] = ModelSwitch(**BY, folder=str(folder), version=tiny.version)
    runs = []
    for dies in (False, True):
        log = new_log(small_day())
        worker = new_worker(log, size=40, load=load_models)
        for number, switch in enumerate(switches):
            run_to(worker, log, 0.12)
            say(log, switch)
            worker.turn()
            if dies:
                log.expire_member(GROUP, f"w{number}" if number else "w")
                worker = new_worker(log, size=40, member=f"w{number + 1}", load=load_models)
        drain(worker, log=log)
        live = states(worker)
        worker.close()
        again = new_worker(log, size=37, member="again", load=load_models)
        drain(again, log=log)
        assert states(again) == live
        runs.append((live, told(log), log))
    assert runs[0][:2] != wanted()
    marks = [
        body for r in read_all(runs[0][2], CONTROL) if isinstance(body := read_control(r), Applied)
    ]
    assert {result.refused for mark in marks for result in mark.results} == {None}
    applied = [result.offset for mark in marks for result in mark.results]
    assert len(applied) == len(set(applied)) * PARTITIONS == (len(switches) + 1) * PARTITIONS


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_replay_of_markers_does_not_depend_on_the_cut(size: int) -> None:
    """Switches made in the middle of the day are repeated at the same record by rebuilds in slices
    of 1, 7 and 5,000."""
    log, live = _switched()
    again = new_worker(log, size=size, member=f"again{size}")
    drain(again, log=log)
    assert states(again) == live
    again.close()


@cache
def _switched() -> tuple[MemoryLog, dict[int, State]]:
    log = new_log(small_day())
    worker = new_worker(log, size=700)
    run_to(worker, log, 0.3)
    account = accused(wanted()[1])[1]
    say(
        log,
        PolicySwitch(**BY, text=SHADOW_TEXT, stamp="s"),
        Allow(**BY, entry=entry(account)),
    )
    drain(worker, log=log)
    live = states(worker)
    worker.close()
    assert live != wanted()[0]
    return log, live


def groups_of(record: LogRecord) -> tuple[str, ...]:
    """The groups that a verdict rests on."""
    return read_data(decode(record.value), VerdictChange).groups


def changes(log: MemoryLog, account: str) -> list[LogRecord]:
    """Records of the verdicts topic about an account itself."""
    key = f"default/account/{account}".encode()
    return [r for r in read_all(log, VERDICTS) if r.key == key]


def test_an_undone_verdict_stays_undone_for_the_same_cause() -> None:
    """Undone in the middle of its traffic, an account's verdict is lifted at once, its alert is
    closed as "undone", and the same behaviour raises no other; also after a restart."""
    log = new_log()
    day = small_day()
    account = accused(wanted()[1])[1]
    mine = [r for r in day if r.key == account.encode()]
    producer = log.producer()
    worker = new_worker(log, size=1)
    sent = 0
    while not changes(log, account):
        producer.send(mine[sent : sent + 1])
        assert sent < len(mine)
        sent += 1
        drain(worker, log=log)
    say(log, Undo(**BY, tenant="default", scope="account", scope_id=account, until_s=FAR_S))
    cause = set(groups_of(changes(log, account)[-1]))
    assert cause
    worker.turn()
    assert changes(log, account)[-1].tombstone
    undone = len(changes(log, account))
    assert b'"close_reason":"undone"' in read_all(log, ALERTS)[-1].value
    half = sent + (len(mine) - sent) // 2
    producer.send(mine[sent:half])
    drain(worker, log=log)
    worker.close()
    again = new_worker(log, member="again")
    producer.send(mine[half:])
    drain(again, log=log)
    assert len(mine) - sent > 10
    for record in changes(log, account)[undone:]:
        assert record.tombstone or not cause.issuperset(groups_of(record))


def refusals(log: MemoryLog) -> list[str]:
    """What markers refuse, each once."""
    found: dict[int, str] = {}
    for record in read_all(log, CONTROL):
        body = read_control(record) if b'"applied"' in record.value else None
        if isinstance(body, Applied):
            found.update({r.offset: r.refused for r in body.results if r.refused is not None})
    return [found[offset] for offset in sorted(found)]


def test_what_cannot_be_applied_is_refused_and_goes_on() -> None:
    """Models that cannot be loaded or are of another version, a wrong policy, and records that are
    no control records are marked refused with a reason, once a partition; the rest of the log is
    handled as if they were not there, and a rebuild passes them over."""

    def load(folder: Path) -> object:
        if folder.name == "other":
            return released()
        raise ModelError(str(folder), "the cue model is missing", "train it")

    log = new_log(small_day())
    worker = new_worker(log, size=500, load=load)  # type: ignore[arg-type]
    run_to(worker, log, 0.3)
    raw = log.producer()
    for value in (b"", b"\xff", b"[]", b'{"specversion":"1.0"}'):
        raw.send([OutputRecord(CONTROL, None, value, 1.0)])
    say(
        log,
        ModelSwitch(**BY, folder="nowhere", version="v"),
        ModelSwitch(**BY, folder="other", version="v"),
        PolicySwitch(**BY, text="version = 3", stamp="s"),
    )
    drain(worker, log=log)
    found = refusals(log)
    assert len(found) == 7
    assert "JSON" in found[0]
    assert "cue model is missing" in found[4]
    assert "the switch names v" in found[5]
    assert "version" in found[6]
    state, outputs = wanted()
    assert (states(worker), told(log)) == (state, outputs)
    worker.close()
    again = new_worker(log, member="again")
    drain(again, log=log)
    assert states(again) == state
    assert len(refusals(log)) == 7


def test_models_of_the_past_that_are_gone_are_said_out_loud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rebuild that cannot load a model of the past goes on with the one in force, counts it and
    says so."""
    folder = write_tiny_models(tmp_path)
    tiny = load_models(folder)
    log = new_log(small_day())
    worker = new_worker(log, size=500, load=load_models)
    run_to(worker, log, 0.3)
    say(log, ModelSwitch(**BY, folder=str(folder), version=tiny.version))
    drain(worker, log=log)
    worker.close()
    (folder / "cues.npz").unlink()
    registry = CollectorRegistry()
    again = new_worker(log, member="again", load=load_models, registry=registry)
    drain(again, log=log)
    assert registry.get_sample_value("stillwatch_replaced_switches_total") == PARTITIONS
    assert "cannot be repeated" in "".join(capsys.readouterr())


def test_the_first_policy_stays_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    """The policy of the first worker's settings is a control record. A worker that is started with
    another policy file goes on by the one in force and says how to switch."""
    log = new_log(small_day())
    worker = new_worker(log, size=500)
    run_to(worker, log, 0.5)
    worker.close()
    again = new_worker(log, member="again", policy_text=SHADOW_TEXT)
    drain(again, log=log)
    assert states(again) == wanted()[0]
    assert "stillwatch policy apply" in "".join(capsys.readouterr())


def test_a_fenced_worker_stops_and_the_next_goes_on() -> None:
    """Replaced by a worker of its own name, a worker raises Fenced, holds no state any more and has
    committed nothing twice."""
    log = new_log(small_day())
    second = new_worker(log, size=300, member="second")
    run_to(second, log, 0.2)
    log.producer(f"{GROUP}-second")  # a newer worker of that name
    with pytest.raises(Fenced):
        second.run()
    assert not second.shards
    last = new_worker(log, member="last")
    drain(last, log=log)
    assert (states(last), told(log)) == wanted()


def test_stop_ends_after_the_batch() -> None:
    """Once `stop` is set, `run` returns with the group left and everything so far committed."""
    log = new_log(small_day())
    stop = threading.Event()
    worker = new_worker(log, size=300, stop=stop)
    run_to(worker, log, 0.2)
    stop.set()
    worker.run()
    assert not worker.shards
    last = new_worker(log, member="w")  # the name is free again
    drain(last, log=log)
    assert (states(last), told(log)) == wanted()


def test_a_full_log_is_tried_again() -> None:
    """A transaction that finds no room is sent again until there is some; nothing is lost."""
    log = MemoryLog()
    log.create_topic(INPUT, TopicSettings(partitions=PARTITIONS))
    for topic in TOPICS:
        bound = 20 if topic == "stillwatch.scores" else None
        log.create_topic(topic, TopicSettings(partitions=PARTITIONS, max_records=bound))
    log.create_topic(CONTROL)
    log.producer().send(small_day())
    scores = log.consumer("lake", ["stillwatch.scores"], member_id="lake")
    scores.poll(1, 0.0)
    got: list[LogRecord] = []

    class Draining(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            got.extend(scores.poll(100_000, 0.0))
            scores.commit(scores.positions())
            return False

    stop = Draining()
    worker = new_worker(log, size=40, stop=stop)
    drain(worker, log=log)
    assert states(worker) == wanted()[0]
    assert len(got) > 20
    with pytest.raises(LogFull):
        log.producer().send([OutputRecord("stillwatch.scores", b"k", b"v", 1.0)] * 21)


def bad(number: int) -> OutputRecord:
    """A record of another format."""
    return OutputRecord(INPUT, b"a", b'{"colour": %d}' % number, 1.0, partition=0)


def test_a_topic_of_another_format_stops_the_worker_and_can_be_drained() -> None:
    """A topic that cannot be read stops the worker at the same record for every batch size and
    after restarts, with nothing of that batch committed and a sentence that names the partition and
    the way out. With the cap at 1 each record is accounted for; afterwards the usual cap lets good
    records pass."""
    for size in (7, 100, 5000):
        log = new_log([bad(n) for n in range(500)], partitions=1)
        for number in range(20):
            worker = new_worker(log, size=size, member=f"w{number}")
            worker.turn()
            with pytest.raises(BadTopic, match="--bad-ratio-cap 1") as stopped:
                worker.run()
            assert (stopped.value.error.bad, stopped.value.error.seen) == (200, 200)
            assert "partition 0" in str(stopped.value)
            assert sum(ends(log, DEAD_LETTERS).values()) == (199 // size) * size
        worker = new_worker(log, size=size, member="drain", cap=1.0)
        drain(worker, log=log)
        worker.close()
        assert sum(ends(log, DEAD_LETTERS).values()) == 500
        log.producer().send(small_day()[:50] * 8)
        usual = new_worker(log, size=size, member="usual")
        drain(usual, log=log)
        assert sum(ends(log, DEAD_LETTERS).values()) == 500


def test_an_account_on_two_partitions_is_counted_once() -> None:
    """An account whose records lie on two partitions counts once, also when it comes again; those
    on one partition do not count."""
    registry = CollectorRegistry()
    log = new_log()
    worker = new_worker(log, size=10, registry=registry)
    day = small_day()
    accounts = list(dict.fromkeys(r.key for r in day))[:3]
    for n in range(2):
        for account in accounts:
            record = next(r for r in day if r.key == account)
            for part in (0, 1) if account != accounts[2] else (2,):
                log.producer().send(
                    [OutputRecord(INPUT, record.key, record.value, record.timestamp_s + n, (),
                                  None, part)]
                )  # fmt: skip
        drain(worker, log=log)
    assert registry.get_sample_value("stillwatch_account_on_two_partitions_total") == 2
    assert registry.get_sample_value("stillwatch_accounts_tracked") == 5


def test_metrics_count_what_was_committed() -> None:
    """Records, requests, dead letters by kind, alerts, lag and partitions, over a restart in which
    the replay counts nothing."""
    registry = CollectorRegistry()
    log = new_log(small_day())
    log.producer().send([bad(1)])
    worker = new_worker(log, size=500, registry=registry)
    run_to(worker, log, 0.5)
    half = registry.get_sample_value("stillwatch_records_total") or 0.0
    worker.close()
    second = CollectorRegistry()
    again = new_worker(log, size=500, member="again", registry=second)
    drain(again, log=log)
    for _ in range(5):
        again.turn()
    total = len(small_day()) + 1
    rest = second.get_sample_value("stillwatch_records_total") or 0.0
    assert half + rest == total
    assert half > 0
    assert rest > 0
    letters = {"kind": "MalformedRecord"}
    assert (registry.get_sample_value("stillwatch_dead_letters_total", letters) or 0.0) + (
        second.get_sample_value("stillwatch_dead_letters_total", letters) or 0.0
    ) == 1.0
    assert second.get_sample_value("stillwatch_lag_records", {"partition": "0"}) == 0.0
    assert second.get_sample_value("stillwatch_partitions") == PARTITIONS
    assert (
        second.get_sample_value("stillwatch_rebuild_remaining_records", {"partition": "0"}) == 0.0
    )


def test_records_dropped_before_they_were_read_are_counted() -> None:
    """When the topic drops records that were not read, the worker goes on at the earliest one,
    keeps its state and counts the loss."""
    log = MemoryLog()
    log.create_topic(INPUT, TopicSettings(partitions=1, max_records=20, when_full="drop_oldest"))
    for topic in TOPICS:
        log.create_topic(topic)
    log.create_topic(CONTROL)
    registry = CollectorRegistry()
    worker = new_worker(log, size=10, registry=registry)
    day = [OutputRecord(INPUT, r.key, r.value, r.timestamp_s) for r in small_day()[:60]]
    log.producer().send(day[:10])
    drain(worker, log=log)
    log.producer().send(day[10:])
    drain(worker, log=log)
    assert worker.shards[0].next_offset == 60
    assert registry.get_sample_value("stillwatch_records_lost_total") == 30
    assert registry.get_sample_value("stillwatch_records_total") == 30


def test_offsets_that_were_set_back_are_handled_again() -> None:
    """After an operator set the group's offsets back to the start, switches that were applied
    behind count as new: the worker handles the topic again and applies each once."""
    log, _ = _switched()
    keep = log.consumer(GROUP, [INPUT], member_id="operator")
    keep.poll(1, 0.0)
    keep.commit({TopicPartition(INPUT, n): 0 for n in range(PARTITIONS)})
    keep.close()
    worker = new_worker(log, size=700, member="reset")
    drain(worker, log=log)
    live = states(worker)
    worker.close()
    again = new_worker(log, size=70, member="reset2")
    drain(again, log=log)
    assert states(again) == live
    again.close()
