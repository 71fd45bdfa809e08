"""Small corpora with near copies, and their clusters by comparing every pair."""

from __future__ import annotations

import random
from itertools import combinations

from adp_assets.mutation.novelty.shingles import jaccard, shingles


def corpus(seed: int) -> list[str]:
    """Texts of few different words: copies with edits, copies of copies, short ones, empty ones, Chinese."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(_ENGLISH, k=rng.randint(0, 60))) for _ in range(25)]
    texts += [
        "".join(rng.choices("天地人山水火木金土日月星云雨风花草树", k=rng.randint(1, 60))) for _ in range(15)
    ]
    for _ in range(60):
        text = rng.choice(texts)
        parts = text.split() if " " in text else list(text)
        for _ in range(rng.randint(0, 3)):
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts or ["new"]))
        texts.append((" " if " " in text else "").join(parts))
    rng.shuffle(texts)
    return texts


def clusters(texts: list[str], threshold: float) -> list[int]:
    """The lowest row of each text's cluster."""
    sets = [shingles(text) for text in texts]
    labels = list(range(len(texts)))
    for one, other in combinations(range(len(texts)), 2):
        if labels[one] != labels[other] and jaccard(sets[one], sets[other]) >= threshold:
            low, high = sorted((labels[one], labels[other]))
            labels = [low if label == high else label for label in labels]
    return labels


_ENGLISH = [
    *("Add", "the", "Sum", "of", "two", "lists,", "sort", "each", "by", "name;", "--", "don't"),
    *("café", "NAÏVE", "ﬁle", "Straße", "№", "7"),
]
