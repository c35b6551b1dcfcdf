"""From what a program is for to the intents its texts show: the label table of the cue model."""

from __future__ import annotations

from detector.intents import INTENTS

_KINDS: dict[str, tuple[str, ...]] = {
    # extraction programs of the bank
    "generate": ("generate",),
    "trace": ("elicit", "worked"),
    "answer": ("worked",),
    "preference": ("prefer",),
    "critique": ("prefer", "grade"),
    "tool": ("agent", "generate"),
    "rewrite": ("rewrite",),
    "persona": ("persona", "generate"),
    "selfchat": ("persona", "generate"),
    "logit": (),
    "redteach": ("generate",),
    "rubric": ("grade",),
    "sweep": ("worked",),
    # benign programs of the bank and the roles of public templates
    "evaluate": ("grade",),
    "judge": ("grade",),
    "label": ("label",),
    "rag": ("rag",),
    "agent": ("agent",),
    "audit": ("code",),
    "testgen": ("code",),
    "content": ("content",),
    "translation": ("translate",),
    "monitor": ("label",),
    "tutor": ("tutor",),
    "game": ("persona",),
    "roleplay": ("persona",),
    "reseller": ("chat",),
    "loadtest": (),
    "chat": ("chat",),
    "support": ("chat",),
    "summarise": ("content",),
    "extract": ("label",),
    "classify": ("label",),
    "code": ("code",),
    "search": ("rag",),
    "simulate": ("persona",),
    "plan": ("chat",),
    "moderation": ("label",),
    "dialogue": ("persona", "generate"),
    "translate": ("translate",),
}

_UNSURE = {
    "worked": {"tutor", "evaluate", "judge", "agent", "research"},
    "generate": {"testgen", "content", "tutor", "game", "simulate", "data"},
    "elicit": {"trace"},
    "persona": {"redteach", "generate", "chat"},
    "grade": {"preference", "critique", "rubric", "tutor", "evaluate"},
    "prefer": {"judge", "rubric", "evaluate"},
    "label": {"judge", "extract", "moderation"},
    "code": {"agent", "data", "ops"},
    "chat": {"support", "plan", "reseller", "other", "medical", "legal", "finance"},
}
"""Intents that some programs of a kind may show: not used as negatives for them."""


def intents_of(kind: str, extraction: bool | None) -> dict[str, bool]:
    """Known intents of a program of this kind: True shows it, False does not, absent unsure.

    `extraction` None (cannot be told by content) leaves that intent out.
    """
    shown = _KINDS.get(kind, ())
    out = {name: name in shown for name in INTENTS if name != "extraction"}
    for name, kinds in _UNSURE.items():
        if kind in kinds and name not in shown:
            del out[name]
    if kind == "trace":
        out.pop("elicit", None)  # only some traces elicit; the elicitation corpus decides
    if extraction is not None:
        out["extraction"] = extraction
    return out


BENIGN_KINDS = frozenset(
    {
        "evaluate", "judge", "label", "rag", "agent", "audit", "testgen", "content", "translation",
        "monitor", "tutor", "game", "roleplay", "reseller", "loadtest", "chat", "support",
        "summarise", "extract", "classify", "code", "search", "simulate", "plan", "moderation",
        "medical", "legal", "finance", "data", "ops", "research", "redteam", "other",
    }
)  # fmt: skip
"""Kinds of benign programs that the bank knows."""
