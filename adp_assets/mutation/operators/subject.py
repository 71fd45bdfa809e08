"""Operators that say the same kind of task of another subject, or in another language."""

from __future__ import annotations

from adp_assets.languages import other_language
from adp_assets.mutation.operators.base import Operator


class DomainShift(Operator):
    name = "domain_shift"
    instruction = (
        "Carry the kind of task over to another subject: other things, columns, people or departments, with "
        "other values. Keep what is to be done with them, and use only pages that the parent uses."
    )


class OtherLanguage(Operator):
    name = "language"
    instruction = (
        "Write a task of the same kind and difficulty in the other language, Chinese for English and English "
        "for Chinese, with other values. Names in code and on pages stay as they are."
    )

    def language(self, parents: str) -> str:
        return other_language(parents)
