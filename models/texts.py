"""Labelled texts for the cue model: frames of programs, the elicitation corpus, real prompts.

Every row says which intents it is known to show or not; a program's rows share one unit of weight
and one group, so that a split never tears a program apart.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.intents import INTENTS
from models.accounts import Account
from models.labels import intents_of
from models.public_templates import read_templates
from streams.traffic.bank import Program, fill, load_bank
from streams.traffic.corpus import Corpus
from streams.traffic.sources import source
from streams.traffic.staples import neutral_programs, staple_programs

FILLS = 8
"""Filled copies of each program's frame."""

CORPUS_ROWS = 150
"""Rows taken of each real-prompt file."""

ELICITATION_WEIGHT = 0.175
"""Weight of a row of the elicitation corpus beside a program's 1: with more, the extraction head,
which reads these rows too, takes every judge that has to give reasons for a harvester."""

CAPTURE_TEXTS = 120
"""Different texts read of one captured account."""

_CORPORA: tuple[tuple[str, dict[str, bool]], ...] = (
    ("benign_oasst1_validation", {"elicit": False, "grade": False, "prefer": False}),
    ("benign_wildchat_hard_ru", {"elicit": False, "extraction": False, "prefer": False}),
    ("benign_dev_stackoverflow", {"code": True, "extraction": False, "elicit": False}),
    ("benign_dev_aider_transcripts", {"code": True, "extraction": False}),
    ("benign_inthewild_prompts", {"elicit": False, "extraction": False}),
    ("benign_koala_real_queries", {"elicit": False, "grade": False}),
    ("hardneg_llm_judge", {"grade": True, "extraction": False, "elicit": False}),
    ("hardneg_prompt_libraries", {"extraction": False, "elicit": False}),
    ("hardneg_redteam_scans", {"extraction": False}),
    ("hardneg_eval_knowledge", {"extraction": False, "elicit": False}),
    ("hardneg_eval_code", {"code": True, "elicit": False}),
    ("hardneg_eval_math", {"elicit": False, "generate": False}),
    ("distill_req_reasoning_proxy", {"worked": True}),
    ("distill_req_cot_metamath", {"extraction": True}),
    ("distill_cot_collection_proxy", {"worked": True}),
)
"""Files of real prompts that may train a shipped model, with what is known of their texts."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """One labelled text.

    Attributes:
        group: program or minimal-pair group; the unit of splitting.
        batch: author batch or origin, a coarser unit.
        system: whether it is a system prompt.
        intents: known intents; absent ones are unsure.
        bag: texts of one bag are learnt from as their mean, as an account's texts are judged by
            theirs, so that the frame they share outweighs the items they differ in.
        frame_only: of this bag only n-grams that several texts share are kept (others' seeds).
        weight: weight of the whole bag.
    """

    text: str
    group: str
    batch: str
    system: bool
    intents: dict[str, bool]
    bag: str
    frame_only: bool = False
    weight: float = 1.0

    def labels(self) -> NDArray[np.int8]:
        """int8, shape (len(INTENTS),): 1 shows it, 0 does not, -1 unsure."""
        return np.array([-1 if (v := self.intents.get(n)) is None else int(v) for n in INTENTS])


def bank_programs() -> list[tuple[Program, str]]:
    """Programs of the shipped bank and the staples with their author batch (the id's prefix)."""
    programs = (*load_bank(), *staple_programs(), *neutral_programs())
    return [(p, p.id.split("-")[0]) for p in programs]


def program_rows(
    programs: Iterable[tuple[Program, str]], seed: int, corpus: Corpus | None
) -> list[TextRow]:
    """Filled frames of programs; slots draw from the same sources whatever the label."""
    rows: list[TextRow] = []
    for number, (program, batch) in enumerate(programs):
        rng = np.random.default_rng([seed, number])
        extraction = None if program.label == "depends" else program.label == "extraction"
        intents = intents_of(program.kind, extraction)
        frames = (*program.wordings, *program.turns)
        texts: list[tuple[str, bool]] = []
        for k in range(FILLS):
            values = {
                slot: source(origin, rng, program.lang, k + 1, corpus=corpus)
                if isinstance(origin, str)
                else origin[int(rng.integers(len(origin)))]
                for slot, origin in program.slots.items()
            }
            frame = frames[k % len(frames)]
            if len(frame) - sum(map(len, program.slots)) > 12:  # a bare slot says nothing
                texts.append((fill(frame, values), False))
            if program.system and k < 2:
                texts.append((fill(program.system, values), True))
        rows += [
            TextRow(t, program.id, batch, is_system, intents, f"{program.id}/{is_system}")
            for t, is_system in texts
        ]
    return rows


def elicitation_rows() -> list[TextRow]:
    """The elicitation corpus: minimal pairs written for this product."""
    path = resources.files("models") / "corpus" / "elicitation.jsonl"
    rows = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        positive = bool(row["label"])
        intents = {"elicit": positive, "extraction": positive}
        if not positive:
            intents |= {"generate": False, "prefer": False}
        for text, system in ((row["text"], False), (row.get("system"), True)):
            if text:
                known = intents if not system or positive else {"elicit": False}
                if positive and not system and row.get("system"):
                    known = {}  # the system prompt asks, the user's turn may be anything
                bag = f"{row['id']}/{system}"
                rows.append(
                    TextRow(
                        text, row["group"], row["lang"], system, known, bag,
                        weight=ELICITATION_WEIGHT,
                    )
                )  # fmt: skip
    return rows


def corpus_rows(data: Path, seed: int) -> list[TextRow]:
    """Real prompts of the data folder that may train a shipped model; empty without the folder."""
    rows: list[TextRow] = []
    for number, (name, intents) in enumerate(_CORPORA):
        path = data / "prompts" / f"{name}.jsonl.gz"
        if not path.exists():
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            prompts = [json.loads(line)["prompt"] for line in lines]
        rng = np.random.default_rng([seed, 7, number])
        chosen: Sequence[int] = sorted(rng.permutation(len(prompts))[:CORPUS_ROWS].tolist())
        unit = 12.0 / len(chosen)  # a whole file weighs as much as a dozen programs
        rows += [
            TextRow(prompts[i], name, name, False, intents, f"{name}/{i}", weight=unit)
            for i in chosen
        ]
    return rows


def capture_rows(accounts: Iterable[Account]) -> list[TextRow]:
    """Frames of captured accounts: what their texts share; the seed texts inside are masked."""
    rows: list[TextRow] = []
    for account in accounts:
        texts: dict[tuple[str, bool], None] = {}
        for request in account.requests:
            if request.system:
                texts[request.system, True] = None
            for message in request.messages or ():
                if message.role in ("user", "system", "developer"):
                    texts[message.text, message.role != "user"] = None
        known = {"extraction": bool(account.label)}
        rows += [
            TextRow(text, account.group, account.batch, system, known,
                    f"{account.group}/{system}", frame_only=not system, weight=1.5)
            for text, system in list(texts)[:CAPTURE_TEXTS]
        ]  # fmt: skip
    return rows


def all_rows(data: Path | None, corpus: Corpus | None, seed: int) -> list[TextRow]:
    """Programs and real prompts that the shipped cue model is trained on."""
    programs = bank_programs()
    rows: list[TextRow] = []
    if data is not None:
        programs += read_templates(data)
        rows += corpus_rows(data, seed)
    return rows + program_rows(programs, seed, corpus)
