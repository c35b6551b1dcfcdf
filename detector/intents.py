"""What a piece of text can ask for: the classes of the cue model, and what each one means."""

from __future__ import annotations

INTENTS: tuple[str, ...] = (
    "extraction",  # the text as a whole reads like part of a harvest
    "elicit",  # wants the model's own reasoning, hidden prompt or scratchpad
    "generate",  # wants new training-like items: tasks, QA pairs, dialogues, problems
    "worked",  # wants a full worked solution or long chain of thought for a given problem
    "prefer",  # wants preference pairs, better and worse answers, critiques of answers
    "grade",  # wants a score or verdict on somebody's text
    "rewrite",  # wants a given instruction or text made harder, longer or different
    "persona",  # speaks as or for an invented person; simulated dialogue
    "label",  # wants a class, label or fields taken out of a given text
    "rag",  # answers from given context
    "code",  # writes, changes or reviews code
    "agent",  # plans, uses tools, works in steps
    "chat",  # a person talking, product support, everyday questions
    "translate",  # translation and localisation
    "content",  # marketing, summaries, e-mail and other office text
    "tutor",  # explains, teaches, quizzes a learner
)
"""Order of the cue model's outputs; part of the feature schema."""

N_INTENTS = len(INTENTS)
EXTRACTION = INTENTS.index("extraction")
ELICIT = INTENTS.index("elicit")
GRADE = INTENTS.index("grade")
