"""Prompts in which a chat template wrote the turns: ChatML, Llama, Mistral, Gemma, DeepSeek, Phi.

Self-hosted servers and Bedrock's Llama models log the prompt after templating; the system prompt
and the turns are in it as text between marks.
"""

from __future__ import annotations

import re

_CHATML = re.compile(
    r"<\|im_start\|>\s*(\w+)\s*\n(.*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)", re.DOTALL
)
_LLAMA3 = re.compile(
    r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>\s*(.*?)"
    r"(?:<\|eot_id\|>|<\|eom_id\|>|(?=<\|start_header_id\|>)|\Z)",
    re.DOTALL,
)
_GEMMA = re.compile(r"<start_of_turn>\s*(\w+)\s*\n(.*?)(?:<end_of_turn>|\Z)", re.DOTALL)
_DEEPSEEK = re.compile(r"<｜(User|Assistant)｜>(.*?)(?=<｜(?:User|Assistant|end)|\Z)", re.DOTALL)
_PHI = re.compile(
    r"<\|(system|user|assistant)\|>\s*(.*?)(?:<\|end\|>|</s>|(?=<\|\w+\|>)|\Z)", re.DOTALL
)
_INST = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=\[INST\]|</s>|\Z)", re.DOTALL)
_SYS = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>(.*)", re.DOTALL)


def templated_turns(prompt: str) -> list[tuple[str, str]] | None:
    """(role, text) of every turn, or None when the prompt was not made by a known template.

    The generation prompt at the end (an assistant turn without text) is no turn.
    """
    for mark, pattern in (
        ("<|im_start|>", _CHATML),
        ("<|start_header_id|>", _LLAMA3),
        ("<start_of_turn>", _GEMMA),
        ("<｜User｜>", _DEEPSEEK),
    ):
        if (
            prompt.lstrip()
            .removeprefix("<s>")
            .removeprefix("<bos>")
            .removeprefix("<|begin_of_text|>")
            .startswith(mark)
        ):
            return _found(pattern.findall(prompt))
    head = prompt.lstrip()
    if head.startswith(("<|system|>", "<|user|>")):
        return _found(_PHI.findall(prompt))
    if head.removeprefix("<s>").lstrip().startswith("[INST]"):
        return _instructions(prompt)
    return None


def _found(turns: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    read = [(role.lower(), text.strip()) for role, text in turns]
    while read and not read[-1][1] and read[-1][0] in ("assistant", "model"):
        read.pop()
    return read or None


def _instructions(prompt: str) -> list[tuple[str, str]] | None:
    turns: list[tuple[str, str]] = []
    for asked, answered in _INST.findall(prompt):
        system = _SYS.match(asked)
        if system:
            turns.append(("system", system.group(1).strip()))
        turns.append(("user", (system.group(2) if system else asked).strip()))
        if answered.strip():
            turns.append(("assistant", answered.strip()))
    return turns or None
