"""The training material and its folds: what `train` and `rotate` both start from.

The cue model reads the same programs that the account classifier learns from, so features of an
account always come from a cue model that has not seen the account's program (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from detector.cues import HashedCues
from detector.elicit import ElicitReader
from detector.encoder_head import EncoderHead
from models.accounts import Account, capture_accounts, composed_accounts
from models.elicitation import pair_rows, phrase_rows
from models.encoded_texts import EncodedTexts, HeadedTexts, VectorSums
from models.public_templates import read_templates
from models.texts import all_rows, bank_programs, capture_rows, elicitation_rows
from models.train_cues import FittedHeads, bags, fit_heads, quantise
from models.train_elicit import fit_reader
from models.train_encoder import fit_encoder_head
from models.vectors import Samples, sample_vectors, sum_vectors
from streams.traffic.corpus import load_corpus
from streams.traffic.day import ordinary_chat

FOLDS = 5
BANK_COPIES = 3
TEMPLATE_COPIES = 2

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything to learn from.

    Attributes:
        accounts: composed and captured accounts; `account_unit` (shape (a,)) names what must
            stay on one side of a split: program, origin or tool.
        reader: gate and lexicon of the elicitation head.
        matrix, labels, weights: bags of text for the cue model, see `train_cues.bags`;
            `bag_unit` (shape (b,)) as for accounts, "" for texts that no account runs.
        fitted: heads fitted so far: a rotation fits most of its heads once, not once a tool.
        texts: the prompt encoder; None: trained without.
    """

    accounts: Sequence[Account]
    account_unit: NDArray[np.str_]
    reader: ElicitReader
    matrix: csr_matrix
    labels: NDArray[np.int8]
    weights: NDArray[np.float64]
    bag_unit: NDArray[np.str_]
    fitted: FittedHeads = field(default_factory=dict)
    texts: EncodedTexts | None = None


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What cross-fitting gives.

    Attributes:
        samples: vectors of all accounts, each from models that did not see its unit.
        sums: sums of their encoded pieces' vectors; None where nothing is encoded.
    """

    samples: Samples
    sums: VectorSums | None


def gather(
    data: Path | None,
    captures: Path | None,
    seed: int,
    step: Step,
    *,
    thin: bool = False,
    without: frozenset[str] = frozenset(),
    encoder: Path | None = None,
) -> Material:
    """Composes accounts and texts; without the folders from the bank and the corpus alone.

    `thin` composes one account a program: for trials that train many times. Units in `without`
    are left out altogether: none of their texts is in it, not even as another account's side chat.
    `encoder` is the folder of the built prompt encoder; without it nothing is encoded.
    """
    corpus = load_corpus(data) if data is not None else None
    every = bank_programs()
    bank = [(p, batch) for p, batch in every if f"program {p.id}" not in without]
    chats = ordinary_chat([p for p, _ in bank])
    step("composing accounts of the program bank")
    accounts = list(
        composed_accounts(
            bank,
            per_program=1 if thin else BANK_COPIES,
            seed=seed,
            source="bank",
            corpus=corpus,
            chats=chats,
        )
    )
    asked = elicitation_rows() + pair_rows() + phrase_rows()
    rows = asked + all_rows(data, corpus, seed)
    origins: dict[str, str] = {}
    if data is not None:
        templates = read_templates(data)
        origins = {p.id: origin for p, origin in templates}
        templates = [(p, o) for p, o in templates if f"origin {o}" not in without]
        step("composing accounts of the public templates")
        accounts += composed_accounts(
            templates, per_program=1 if thin else TEMPLATE_COPIES, seed=seed + 1,
            source="templates", corpus=corpus, chats=chats,
        )  # fmt: skip
    if captures is not None:
        step("reading captures")
        captured = [a for a in capture_accounts(captures) if f"tool {a.batch}" not in without]
        accounts += captured
        rows += capture_rows(a for a in captured if a.name.endswith("@1"))
    hidden = {p.id for p, _ in every if f"program {p.id}" in without}
    hidden |= {group for group, origin in origins.items() if f"origin {origin}" in without}
    step("counting n-grams")
    rows = [r for r in rows if r.group not in hidden]
    reader = fit_reader(rows, frozenset(r.group for r in asked))
    matrix, labels, weights, first = bags(rows, reader)
    tools = {a.group: a.batch for a in accounts if a.source == "captures"}
    programs = {a.group for a in accounts if a.source == "bank"}

    def unit(group: str) -> str:
        if group in tools:
            return f"tool {tools[group]}"
        if group in origins:
            return f"origin {origins[group]}"
        return f"program {group}" if group in programs else ""

    return Material(
        accounts,
        np.array([unit(a.group) for a in accounts]),
        reader,
        matrix,
        labels,
        weights,
        np.array([unit(r.group) for r in first]),
        texts=None if encoder is None else EncodedTexts(encoder),
    )


def fold_of(unit: str) -> int:
    """Fold of a unit, by its name."""
    return crc32(unit.encode()) % FOLDS


def cross_fitted(material: Material, left_out: str | None, step: Step) -> CrossFitted:
    """Vectors of all accounts but those of `left_out`, each from models that did not see its unit.

    First the cues of each fold pick its accounts' pieces to encode; then a head over those of the
    other folds says what this fold's mean.
    """
    account_fold = np.array([fold_of(u) for u in material.account_unit])
    kept = material.account_unit != (left_out or "")
    folds = [np.flatnonzero((account_fold == fold) & kept) for fold in range(FOLDS)]
    cues = [fit_cues(material, fold, left_out, f"fold {fold}") for fold in range(FOLDS)]
    sums = None
    if material.texts is not None:
        sums = VectorSums(material.texts, len(material.accounts))
        for fold, mine in enumerate(folds):
            step(f"encoding pieces of fold {fold + 1} of {FOLDS}")
            found = sum_vectors(_some(material, mine), cues[fold], material.texts)
            sums.sums[mine], sums.counts[mine] = found.sums, found.counts
    xs, owners, counts = [], [], []
    for fold, mine in enumerate(folds):
        step(f"features of fold {fold + 1} of {FOLDS}")
        prompts = None
        if material.texts is not None and sums is not None:
            head = fit_head_of(material, sums, kept & (account_fold != fold), f"fold {fold}")
            prompts = HeadedTexts(material.texts, head)
        samples = sample_vectors(_some(material, mine), cues[fold], prompts)
        xs.append(samples.x)
        owners.append(mine[samples.account])
        counts.append(samples.requests)
    found_samples = Samples(np.concatenate(xs), np.concatenate(owners), np.concatenate(counts))
    return CrossFitted(found_samples, sums)


def fit_head_of(
    material: Material, sums: VectorSums, use: NDArray[np.bool_], version: str
) -> EncoderHead:
    """The encoder's head trained on the accounts where `use` is set, shape (a,)."""
    encoder = "" if material.texts is None else material.texts.encoder.version
    return fit_encoder_head(sums, material.accounts, use, version=version, encoder=encoder)


def _some(material: Material, at: NDArray[np.int64]) -> list[Account]:
    return [material.accounts[i] for i in at.tolist()]


def fit_cues(
    material: Material, without_fold: int | None, without_unit: str | None, version: str
) -> HashedCues:
    """The cue model trained without a fold and without a unit."""
    keep = np.ones(len(material.bag_unit), np.bool_)
    if without_fold is not None:
        fold = np.array([fold_of(u) if u else -1 for u in material.bag_unit])
        keep &= fold != without_fold
    if without_unit is not None:
        keep &= material.bag_unit != without_unit
    heads = fit_heads(
        material.matrix, material.labels, material.weights,
        rows=np.flatnonzero(keep), fitted=material.fitted,
    )  # fmt: skip
    return quantise(*heads, version, material.reader)
