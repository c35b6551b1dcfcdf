"""Material with verdicts: captured tools that a fold never saw, and field cases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from detector.partition import PartitionSettings
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import Policy, default_policy_path, load_policy
from models.accounts import START_S, Account, capture_accounts
from models.evaluate.findings import Row
from models.evaluate.fold_models import TOOLS
from models.evaluate.units import World, tool_fold
from models.rotate import Outcome, judge, table
from streams.intake import IntakeSettings
from streams.log import LogRecord
from streams.traffic.bank import load_bank
from streams.traffic.day import ordinary_chat
from streams.traffic.replay import Case, case_from, requests_from_messages

REPEATED = 12
MIXED_INTO = (0, 100)


def judge_captures(captures: Path, world: World, folders: Mapping[int, Path]) -> Row:
    """Each captured account judged by a model that went without its fold of tools and had all
    else."""
    policy = load_policy(default_policy_path())
    by_fold: dict[int, list[Account]] = defaultdict(list)
    for account in capture_accounts(captures, limit=None):
        by_fold[TOOLS + tool_fold(account.batch, world.folds)].append(account)
    outcomes: list[Outcome] = []
    for fold, accounts in sorted(by_fold.items()):
        outcomes += judge(accounts, folders[fold], policy)
    accused = sorted({o.name for o in outcomes if o.label == 0 and o.throttle_at is not None})
    return {"table": table(outcomes), "benign_throttled": accused}


def judge_cases(path: Path, models: Path) -> list[Row]:
    """Field cases by the shipped models: alone, and mixed into ordinary chat."""
    policy = load_policy(default_policy_path())
    loaded = load_models(models)
    cases: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        cases[str(row["kind"]), str(row["case"])].append(case_from(row))
    chats = ordinary_chat(load_bank())
    out: list[Row] = []
    for mix_into in MIXED_INTO:
        accounts = [
            Account(
                name, name,
                "",
                int(kind != "benign"), kind, "cases",
                requests_from_messages(
                    some, account=name, start_s=START_S, seed=[1, number], repeat_to=REPEATED,
                    mix_into=mix_into, chat=chats[number % len(chats)] if mix_into else None,
                ),
            )
            for number, ((kind, name), some) in enumerate(cases.items())
        ]  # fmt: skip
        outcomes = judge(accounts, models, policy)
        cue_at = {a.name: first_cue(a, loaded, policy) for a in accounts if a.label}
        for kind, label in (("benign", 0), ("extraction", 1)):
            mine = [o for o in outcomes if o.label == label]
            if mine:
                out.append(
                    {
                        "cases": kind, "mixed_into": mix_into, "count": len(mine),
                        "watch": sum(o.watch_at is not None for o in mine),
                        "throttle": sum(o.throttle_at is not None for o in mine),
                        **(_by_cue(mine, cue_at) if label else {"with_cue": None, "by_cue": None}),
                        "named": sorted(
                            o.name for o in mine
                            if (o.watch_at is not None) == (label == 0)
                        ),
                    }
                )  # fmt: skip
    return out


def _by_cue(outcomes: Sequence[Outcome], cue_at: Mapping[str, int | None]) -> Row:
    """Cases in which the detector's own cue fires, and those watched by the request it fires at."""
    fired = [(o, at) for o in outcomes if (at := cue_at[o.name]) is not None]
    return {
        "with_cue": len(fired),
        "by_cue": sum(o.watch_at is not None and o.watch_at <= at for o, at in fired),
    }


def first_cue(account: Account, models: Models, policy: Policy) -> int | None:
    """The account's request at which an elicitation cue first fires, or None."""
    pipeline = Pipeline(models, policy, PartitionSettings(intake=IntakeSettings("native")))
    for number, request in enumerate(account.requests, 1):
        record = LogRecord(
            "llm.requests", 0, number - 1, None, msgspec.json.encode(request),
            request.event_time_s or 0.0,
        )  # fmt: skip
        if any(score.cue_pieces for score in pipeline.process([record]).scores):
            return number
    return None
