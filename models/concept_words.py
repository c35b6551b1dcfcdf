"""The lexicon of concepts, read from its text file."""

from __future__ import annotations

from importlib import resources

from detector.concepts import CONCEPTS
from detector.lexicon import Lexicon, build_lexicon


def concept_words() -> dict[str, int]:
    """Words ("*" at the end: any ending) with their concepts as bits; of all languages together.

    Raises:
        ValueError: a line of the file names no concept, or a word has "*" inside.
    """
    path = resources.files("models") / "corpus" / "concepts.txt"
    words: dict[str, int] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line[0] in "#[":
            continue
        name, _, listed = line.partition(": ")
        for word in filter(None, (w.strip() for w in listed.split(","))):
            if name not in CONCEPTS or "*" in word[:-1]:
                raise ValueError(f"concepts.txt, line {number}: {name}: {word}")
            words[word] = words.get(word, 0) | 1 << CONCEPTS.index(name)
    return words


def read_lexicon() -> Lexicon:
    """The lexicon as the detector walks it."""
    words = concept_words()
    return build_lexicon(list(words), list(words.values()))
