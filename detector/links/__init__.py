"""Link keys: what one account shows and another may share (registry; filled in the next step)."""

KINDS: tuple[str, ...] = (
    "template",
    "system",
    "tools",
    "parameters",
    "continuity",
    "pacing",
    "signup",
    "key",
)
