"""JSON that a log cut in the middle: what stands before the cut is still worth reading."""

from __future__ import annotations

import msgspec

MOST_CHARS = 512 * 1024
"""What stands past this is not looked for: twice as much as a record's text may hold."""

_CLOSING = {"{": "}", "[": "]"}


def read_cut(text: str) -> object:
    """The document as far as it goes: open strings, arrays and objects are closed at the cut.

    Returns None if nothing can be read. A number, a name or an escape that the cut went through is
    dropped, never guessed.
    """
    text = text[:MOST_CHARS]
    stack: list[str] = []
    in_text = False
    escaped = False
    safe: list[tuple[int, str]] = []  # (length, closing brackets) at points where a value ended
    for at, char in enumerate(text):
        if in_text:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_text = False
            continue
        if char == '"':
            in_text = True
        elif char in "{[":
            stack.append(_CLOSING[char])
            safe.append((at + 1, "".join(reversed(stack))))
            if len(stack) > 200:
                return None
        elif char in "}]":
            if not stack or stack.pop() != char:
                return None
            safe.append((at + 1, "".join(reversed(stack))))
        elif char == ",":
            safe.append((at, "".join(reversed(stack))))
        if len(safe) > 64:
            del safe[:32]
    closers = "".join(reversed(stack))
    attempts: list[str] = []
    if in_text:
        body = text[:-1] if escaped else text
        # a cut \\u escape is up to five characters long
        attempts = [body[: len(body) - drop] + '"' + closers for drop in range(6)]
    attempts.extend(text[:length] + closing for length, closing in reversed(safe))
    for attempt in attempts[:40]:
        try:
            parsed: object = msgspec.json.decode(attempt)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            continue
        return parsed
    return None
