"""Programs of the data folder's `templates/`, turned into programs of the bank's shape.

They were written anew after real programs by many authors; rows of one `origin` belong on the same
side of every split. Their slots carry a description in words, from which a source is chosen.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from models.labels import BENIGN_KINDS
from streams.traffic.bank import Output, Program

_SOURCES: tuple[tuple[str, str], ...] = (
    # first match wins; more telling words first
    (
        r"number|count|how many|index|score|rating|\bid\b|identifier|level|length|size|数|号",
        "number",
    ),
    (r"dialog|transcript|conversation|chat log|turns|history|对话", "dialogue"),
    (r"persona|character|role|speaker|profile|voice|tone|style|人物", "persona"),
    (r"math|equation|arithmetic", "math_problem"),
    (r"code|snippet|function|source file|diff|patch|代码", "code"),
    (r"programming language|编程语言", "prog_language"),
    (r"language|语言", "language"),
    (r"sql|schema|table", "sql"),
    (r"json|record|data|row", "json"),
    (r"log|trace|stack", "log"),
    (r"url|link|site", "url"),
    (r"rubric|criteri|guide|rules|standard", "rubric"),
    (r"label|categor|class|tags|options|choices", "labels"),
    (r"polic|terms|guideline", "policy"),
    (r"question|query|ask|request|问", "question"),
    (r"answer|response|reply|solution|output|completion|回答", "answer"),
    (r"reason|analysis|explanation|chain", "reasoning"),
    (r"task|instruction|prompt|goal|exercise|任务", "instruction"),
    (r"email|letter|mail", "email"),
    (r"review|comment|feedback|post", "review"),
    (r"ticket|issue|complaint|message", "ticket"),
    (r"sentence|line|phrase|utterance|句", "sentence"),
    (r"title|heading|headline", "title"),
    (r"date|time|year|day", "date"),
    (r"compan|organi|brand|shop|store", "company"),
    (r"product|item", "product"),
    (r"city|place|location|country", "city"),
    (r"name|person|author", "name"),
    (r"keyword|terms|words|list", "keywords"),
    (r"context|passage|text|chunk|paragraph|excerpt|source|content|article|document|文", "passage"),
    (r"topic|subject|theme|field|area|domain|scenario|setting|kind|type", "topic"),
)

_OUTPUT: dict[str, Output] = {
    "judge": "json",
    "classify": "label",
    "label": "label",
    "extract": "json",
    "code": "code",
}
_CHAT_ROLES = {"chat", "tutor", "simulate", "agent", "plan"}


class Template(msgspec.Struct):
    """One row of templates/*.jsonl."""

    id: str
    kind: str
    origin: str
    role: str
    lang: str
    system: str = ""
    user: str = ""
    slots: dict[str, str] = msgspec.field(default_factory=dict)


def read_templates(data: Path) -> list[tuple[Program, str]]:
    """(program, origin) of every row under `data`/templates; empty where the folder is absent."""
    out: list[tuple[Program, str]] = []
    for path in sorted((data / "templates").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = msgspec.json.decode(line, type=Template)
            out.append((_program(row), row.origin))
    return out


def source_of(name: str, description: str) -> str:
    """The common source that fits a slot best, by its description, then by its name."""
    for text in (description.lower(), name.lower().replace("_", " ")):
        for pattern, source in _SOURCES:
            if re.search(pattern, text):
                return source
    return "passage"


def _program(row: Template) -> Program:
    names = {name: f"s{i}" for i, name in enumerate(row.slots)}
    slots: dict[str, str | tuple[str, ...]] = {
        names[name]: source_of(name, text) for name, text in row.slots.items()
    }
    system = _frame(row.system, names)
    user = _frame(row.user, names)
    if not user.strip():
        user = "{message}"
        slots["message"] = "question" if row.role == "rag" else "chat_message"
    used = {key: value for key, value in slots.items() if f"{{{key}}}" in system + user}
    extraction = row.kind == "extraction"
    return Program(
        id=row.id,
        label="extraction" if extraction else "benign",
        kind=_kind(row.role, extraction),
        purpose="",
        lang=row.lang,
        system=system or None,
        user=user,
        slots=used,
        output=_OUTPUT.get(row.role, "medium"),
        conversation="chat" if row.role in _CHAT_ROLES and not row.user.strip() else "single",
        pacing="batch",
    )


def _kind(role: str, extraction: bool) -> str:
    if extraction:
        return "selfchat" if role == "dialogue" else role
    return "translation" if role == "translate" else role if role in BENIGN_KINDS else "other"


def _frame(text: str, names: dict[str, str]) -> str:
    """Escapes every brace but those of named slots, which get short names."""
    parts = re.split(r"\{(" + "|".join(map(re.escape, names)) + r")\}", text) if names else [text]
    out = []
    for i, part in enumerate(parts):
        out.append("{" + names[part] + "}" if i % 2 else part.replace("{", "{{").replace("}", "}}"))
    return "".join(out)
