"""Slot sources of technical text: code, SQL, JSON, logs, URLs."""

from __future__ import annotations

import json

from streams.traffic.grammar import Context, expand

CODE_SHAPES = r"""
def {f}({a}, {b}=None):
    {c} = []
    for {i} in {a}:
        if {b} and {i} > {n}:
            {c}.append({i} * {m})
    return {c}
%%
async function {f}({a}) {{
  const {c} = await fetch(`/api/{g}/${{{a}.id}}`);
  if (!{c}.ok) throw new Error('{g} ' + {c}.status);
  return ({c}.json()).slice(0, {n});
}}
%%
func {f}({a} []int) (int, error) {{
    if len({a}) == 0 {{
        return 0, errors.New("no {g}")
    }}
    {c} := {a}[0]
    for _, v := range {a}[1:] {{
        {c} += v % {n}
    }}
    return {c}, nil
}}
%%
class {F}:
    def __init__(self, {a}, {b}={n}):
        self.{a} = {a}
        self._{b} = {b}

    def {f}(self):
        return sum(1 for x in self.{a} if x.{g} >= self._{b})
%%
public int {f}(List<Integer> {a}) {{
    int {c} = {n};
    for (int v : {a}) {{
        if (v < {m}) continue;
        {c} = Math.max({c}, v);
    }}
    return {c};
}}
%%
fn {f}({a}: &[u32]) -> Option<u32> {{
    let {c} = {a}.iter().filter(|v| **v > {n});
    {c}.copied().max()
}}
%%
#!/bin/sh
# {g}
for {a} in *.{g}; do
  [ -s "${a}" ] || continue
  head -n {n} "${a}" | sort -u > "{f}_${a}"
done
%%
with open('{g}.csv') as {a}:
    {c} = [line.split(',') for line in {a}]
print(len({c}), '{g}')
assert len({c}) < {n}
%%
int {f}(int *{a}, int n) {{
    int {c} = 0;
    for (int i = 0; i <= n; i++) {c} += {a}[i];
    return {c} / {m};
}}
%%
<template>
  <ul>
    <li v-for="{i} in {a}" :key="{i}.{g}">{{{{ {i}.{c} }}}}</li>
  </ul>
</template>
""".strip().split("\n%%\n")
"""Function-sized pieces in several programming languages, for `str.format`."""

LEVELS = ("INFO", "WARN", "ERROR", "DEBUG")
EVENTS = (
    "connection reset by peer",
    "retry {n} of {m}",
    "cache miss for key {g}",
    "job {g} finished in {n} ms",
    "slow query, {n} rows",
    "user {n} logged in",
    "disk usage at {m} percent",
    "queue {g} has {n} messages",
    "checksum mismatch in block {n}",
)


def _identifiers(context: Context) -> dict[str, str]:
    draws = [
        expand("ident", Context(context.rng, context.lexicon, context.fallback)) for _ in "fabcg"
    ]
    f, a, b, c, g = draws
    tail = context.pick(90)
    return {
        "f": f"{f}_{g}",
        "F": f"{f.title()}{g.title()}",
        "a": f"{a}s",
        "b": f"{b}_{tail}",
        "c": f"{c}_out",
        "g": g,
        "i": f"{a[0]}{tail % 10}",
        "n": str(2 + context.pick(400)),
        "m": str(2 + context.pick(98)),
    }


def code(context: Context) -> str:
    """One or two short functions in one of several programming languages."""
    shapes = [CODE_SHAPES[context.pick(len(CODE_SHAPES))] for _ in range(1 + context.pick(2))]
    return "\n".join(shape.format(**_identifiers(context)) for shape in shapes)


def sql(context: Context) -> str:
    """A SELECT over one or two tables."""
    names = _identifiers(context)
    join = (
        " JOIN {b} ON {b}.{g}_id = {a}.id"
        if context.rng.random() < 0.5
        else " LEFT JOIN {b} USING ({g}_id)"
    )
    shape = (
        "SELECT {a}.{g}, COUNT(*) AS {c}\nFROM {a}" + join + "\nWHERE {a}.{g} > {n}\n"
        "GROUP BY {a}.{g}\nHAVING COUNT(*) > {m}\nORDER BY {c} DESC;"
    )
    return shape.format(**names)


def json_text(context: Context) -> str:
    """A small record as JSON text."""
    record = {
        "id": expand("ref", context),
        "name": expand("name", context),
        "city": expand("city", context),
        "items": [
            expand("product", Context(context.rng, context.lexicon, context.fallback))
            for _ in range(1 + context.pick(4))
        ],
        "total": round(float(context.rng.random() * 900), 2),
        "note": expand("s", context),
    }
    keys = [key for key in record if context.rng.random() < 0.85] or ["id"]
    indent = 2 if context.rng.random() < 0.5 else None
    return json.dumps({key: record[key] for key in keys}, ensure_ascii=False, indent=indent)


def log(context: Context) -> str:
    """Four to fourteen lines of an application log."""
    second = context.pick(80_000)
    lines = []
    for _ in range(4 + context.pick(11)):
        second += 1 + context.pick(60)
        event = EVENTS[context.pick(len(EVENTS))].format(**_identifiers(context))
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        lines.append(f"{clock} {LEVELS[context.pick(4)]} {expand('ident', context)}: {event}")
    return "\n".join(lines)


def url(context: Context) -> str:
    """An address under the reserved name example.com (RFC 2606)."""
    names = _identifiers(context)
    return f"https://{names['g']}.example.com/{names['f']}/{names['n']}?page={names['m']}"
