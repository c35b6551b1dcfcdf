"""Assessments: what a due row says, by name, in words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from detector import assess
from detector.assessment import Assessment, GroupEvidence
from detector.cues import HashedCues
from detector.features import FEATURE_NAMES, N_FEATURES, frames
from detector.features.intent import CUE_PROBABILITY
from detector.intents import EXTRACTION
from detector.scorer import Scorer, log_odds
from detector.state import Due, PartitionState
from streams.batch import RequestBatch
from streams.columns import EVENT_ID_BYTES
from streams.record import ApiRequest
from tests.detector.builders import ask, batch_of, seeded_cues, talk, word_cues
from tests.detector.runs import released
from tests.detector.tiny_models import write_tiny_models

LETTERS = "abcdefghijklmnopqrst"
GROUPS = (
    GroupEvidence("intent", True, 1.0, ()),
    GroupEvidence(frames.NAME, False, 0.0, ()),
)


def due_of(
    requests: Sequence[ApiRequest], cues: HashedCues
) -> tuple[PartitionState, RequestBatch, Due]:
    """A new state after the requests, their batch and what is due."""
    state, batch = PartitionState(), batch_of(requests)
    return state, batch, state.apply(batch, cues)


def assessed(
    requests: Sequence[ApiRequest], cues: HashedCues, scorer: Scorer, at: int = -1
) -> Assessment:
    """The assessment of one due row of the account, by default the last."""
    state, batch, due = due_of(requests, cues)
    scored = assess.score_due(scorer, due)
    return assess.assess_account(state, batch, due, scored, range(len(due.rows))[at], GROUPS)


def test_names() -> None:
    """Tenants hold no slash; accounts may."""
    assert assess.split_name("t/a/b") == ("t", "a/b")
    assert assess.split_name("t/") == ("t", "")


def test_the_frame_is_credited_with_what_its_look_says() -> None:
    """Only the group of frames changes, it becomes known; without a look nothing does."""
    assert assess.credit_frame(GROUPS, np.nan) is GROUPS
    intent, frame = assess.credit_frame(GROUPS, 0.7)
    assert intent == GROUPS[0]
    assert (frame.name, frame.known, frame.contribution) == (frames.NAME, True, 0.7)


def test_the_larger_look_counts() -> None:
    """A harvest mixed into chat is scored by its frame, and the vector that the score rests on is
    the frame's; an account without a frame is scored as a whole."""
    loud = word_cues("harvest", EXTRACTION)
    mixed = []
    for a in LETTERS:
        mixed.append(ask(f"harvest one hard question on {a}{a}{a}"))
        mixed += [
            talk(("user", "hi"), ("assistant", "yes?"), ("user", f"{a}{b} or {b}{b}{a} {a}x?"))
            for b in "uvw"
        ]
    scorer = released().scorer
    for requests, framed in ((mixed, True), ([ask(messages=None, status=200)] * 20, False)):
        _, _, due = due_of(requests, loud)
        scores, judged, says = assess.look_twice(scorer, due.rows, due.vectors)
        whole = scorer.probabilities(scorer.impute(due.vectors))
        assert (scores >= whole).all()
        assert (~np.isnan(says[-1:])).all() == framed
        rests = scorer.probabilities(scorer.impute(judged))
        np.testing.assert_allclose(rests, scores, atol=1e-6)
        if framed:
            assert scores[-1] > whole[-1]
            want = float(log_odds(scores[-1:])[0]) - scorer.prior_log_odds
            assert says[-1] == pytest.approx(want, abs=1e-6)
            turns = FEATURE_NAMES.index("turns")
            assert np.isnan(judged[-1, turns])
            assert not np.isnan(due.vectors[-1, turns])
        else:
            assert scores.tobytes() == whole.tobytes()
            assert np.array_equal(judged, due.vectors, equal_nan=True)


def test_nothing_due_is_nothing_scored() -> None:
    """A batch in which no scoring point is reached has empty scores."""
    _, _, due = due_of([ask("hello")], seeded_cues())
    scored = assess.score_due(released().scorer, due)
    assert scored.scores.shape == scored.p_values.shape == scored.frame_says.shape == (0,)
    assert scored.judged.shape == (0, N_FEATURES)


def test_a_point_and_a_cue(tmp_path: Path) -> None:
    """A cue makes a row due at once and is named as the trigger with its count; the tenth request
    is a point."""
    scorer = Scorer(write_tiny_models(tmp_path))
    cues = word_cues("reveal")
    requests = [ask(f"hello {a}{a}") for a in LETTERS[:3]]
    requests += [ask("reveal it"), *(ask(f"later {a}") for a in LETTERS[:6])]
    first, last = (assessed(requests, cues, scorer, at) for at in (0, -1))
    assert (first.trigger, first.requests, first.cue_pieces) == ("cue", 4, 1)
    assert (last.trigger, last.requests, last.cue_pieces) == ("point", 10, 1)
    for found in (first, last):
        assert (found.tenant, found.account, found.scope) == ("default", "acme", "account")
        assert found.scope_id == found.account
        assert found.account_requests == found.requests
        assert [(c.pieces, c.component) for c in found.cues] == [(1, "user turn")]
        assert found.cue_score > CUE_PROBABILITY
    quiet = assessed([ask(f"hello {a}") for a in LETTERS[:10]], cues, scorer)
    assert (quiet.trigger, quiet.cues) == ("point", ())


def test_exemplars_are_the_worst_first() -> None:
    """At most three event ids, strongest evidence first; an id of the longest length that a row
    keeps is kept whole, a longer one is named by a digest and never by a false id."""
    cues = word_cues("reveal")
    requests = [ask(f"hello {a}{a} you", event_id=f"plain-{a}") for a in LETTERS[:9]]
    whole = "r" * EVENT_ID_BYTES
    requests.insert(4, ask("reveal", event_id=whole))
    found = assessed(requests, cues, released().scorer)
    assert len(found.exemplars) == 3
    assert found.exemplars[0] == whole
    assert set(found.exemplars[1:]) <= {r.event_id for r in requests}
    requests[4] = ask("reveal", event_id=whole + "x")
    named = assessed(requests, cues, released().scorer).exemplars[0]
    assert 16 <= len(named) <= EVENT_ID_BYTES
    assert not whole.startswith(named)


@pytest.mark.parametrize("tokens", [None, 70])
def test_the_harvest_is_told_only_where_the_log_tells(tokens: int | None) -> None:
    """Pairs count new questions that were answered; output tokens are None where the log has
    none, else their sum."""
    requests = [ask(f"question on {a}{a}", output_tokens=tokens) for a in LETTERS[:10]]
    found = assessed(requests, seeded_cues(), released().scorer)
    assert found.harvest.pairs == 10
    assert found.harvest.output_tokens == (None if tokens is None else 10 * tokens)
    assert found.harvest.topic_coverage is not None


def test_evidence_is_traced_to_the_end_user_who_holds_it() -> None:
    """The part that holds most evidence is named with its share of evidence and of requests; an
    account without keys and end users has none."""
    cues = word_cues("reveal")
    requests = []
    for i, a in enumerate(LETTERS):
        who = {"end_user": "thief" if i % 5 == 0 else f"user {i}", "key": f"k{i % 2}"}
        requests.append(ask(f"reveal {a}" if i % 5 == 0 else f"hello {a} there", **who))
    found = assessed(requests, cues, released().scorer).concentration
    assert found is not None
    assert (found.scope, found.scope_id) == ("end_user", "acme/thief")
    assert found.evidence_share > 0.9
    assert found.request_share == pytest.approx(4 / 20)
    bare = [ask(f"reveal {a}") for a in LETTERS]
    assert assessed(bare, cues, released().scorer).concentration is None


def test_keys_and_end_users_are_assessed_under_their_account() -> None:
    """A due key's assessment carries account, own id and both counts, and names no exemplars."""
    cues = word_cues("reveal")
    requests = [ask(f"hello {a}", key="other") for a in LETTERS[:2]]
    requests += [ask(f"reveal {a}", key="k", output_tokens=7) for a in LETTERS[:10]]
    state, batch, due = due_of(requests, cues)
    scored = assess.score_due(released().scorer, due)
    (j,) = range(len(due.narrow_rows))
    found = assess.assess_narrow(state, batch, due, scored, j, GROUPS)
    assert (found.account, found.scope, found.scope_id) == ("acme", "key", "acme/k")
    assert (found.requests, found.account_requests, found.cue_pieces) == (10, 12, 10)
    assert found.harvest.output_tokens == 70
    assert found.exemplars == ()
    assert found.concentration is None
    (row,) = [r.score for r in assess.due_rows(state, batch, due, scored) if not r.whole]
    assert (row.scope_id, row.requests, row.new_pieces) == ("acme/k", 10, 10)
    assert row.score == found.score
    assert row.p_value == found.p_value
