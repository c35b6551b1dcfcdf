"""Python literals in application logs: None, True, single quotes, tuples.

Values that are no literals (datetime.datetime(...), <object at ...>) are read as None, so that the
rest of the line can still be used.
"""

from __future__ import annotations

import ast
import re

_OBJECT = re.compile(r"<[A-Za-z_][\w.]*[^<>'\"]*>")


def read_python(text: str, most_chars: int = 1_000_000) -> object:
    """The literal at the start of the text; None when there is none."""
    end = _balanced_end(text[:most_chars])
    if end is None:
        return None
    try:
        tree = ast.parse(_OBJECT.sub("None", text[:end]).strip(), mode="eval")
        return _value(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _balanced_end(text: str) -> int | None:
    depth = 0
    quote = ""
    escaped = False
    for at, char in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in "{[(":
            depth += 1
            if depth > 100:
                return None
        elif char in "}])":
            depth -= 1
            if depth == 0:
                return at + 1
    return None


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | int | float | bool | None) else None
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Dict):
        return {
            str(_value(key)): _value(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand)
        return -inner if isinstance(inner, int | float) else None
    if isinstance(node, ast.Call):
        return _call(node)
    return None


def _call(node: ast.Call) -> object:
    """`datetime.datetime(2026, 2, 11, 8, 20)` as ISO text, `Name(a=1)` as an object."""
    name = ast.unparse(node.func)
    if name.endswith("datetime") and all(isinstance(arg, ast.Constant) for arg in node.args):
        parts = [part for part in (_value(arg) for arg in node.args) if isinstance(part, int)]
        if len(parts) >= 3:
            parts += [0] * (7 - len(parts))
            year, month, day, hour, minute, second, micro = parts[:7]
            return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"
    if node.keywords:
        return {entry.arg: _value(entry.value) for entry in node.keywords if entry.arg}
    return None
