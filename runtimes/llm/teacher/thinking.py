"""What the teacher can answer by thinking alone, when it is asked apart from a task (`llm_reasoning`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CHEAPEST = re.compile(r"Which of these costs least: (.+)\? End with its name\.")


def cheapest_question(prices: Mapping[str, float]) -> str:
    """The question which of several things costs least, by their names."""
    listed = "; ".join(f"{name} at {price:.2f}" for name, price in prices.items())
    return f"Which of these costs least: {listed}? End with its name."


def think(question: str) -> str | None:
    """The answer to a question, with the way to it; None where it is not understood."""
    found = _CHEAPEST.fullmatch(question.strip())
    if found is None:
        return None
    offers = [offer.rpartition(" at ") for offer in found[1].split("; ")]
    name, _, price = min(offers, key=lambda offer: float(offer[2]))
    return f"{price} is the least of {len(offers)} prices, so the answer is {name}"
