"""The registry of link kinds.

A link is what one account shows and another may share. A module holds one family of them: FAMILY,
KINDS (names of its keys), FALSE_FRIEND (who else shares such a key), and kernels that make the
keys. To add one: write the module, put it into FAMILIES, call its kernel from
`detector.links.seen`. The contract suite in tests/contracts runs over FAMILIES. Never is an
address, a header or a TLS mark a link by itself.
"""

from __future__ import annotations

from types import ModuleType

from detector.links import continuity, pacing, parameters, signup, system, template, tools

FAMILIES: tuple[ModuleType, ...] = (template, system, tools, parameters, continuity, pacing, signup)

KINDS: tuple[str, ...] = tuple(kind for family in FAMILIES for kind in family.KINDS)
"""Names of the kinds of key; a kind's number is its place."""

FAMILY_OF: dict[str, str] = {kind: f.FAMILY for f in FAMILIES for kind in f.KINDS}
