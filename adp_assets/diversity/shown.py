"""What people see of the measures: metadata and a chart in the UI, a line in words, a picture for reports."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from adp_assets.display import line_chart, line_picture
from adp_assets.diversity.measure import UNNAMED, Measures, Spread

CHART = "Diversity by round"


def diversity_metadata(chain: Mapping[str, Measures]) -> dict[str, dg.MetadataValue]:
    """Of the last of a chain's measured rounds, with a chart over all of them; nothing without any."""
    if not chain:
        return {}
    *_, last = chain.values()
    return {
        **{name: dg.MetadataValue.float(value) for name, value in figures(last).items() if value is not None},
        "diversity": dg.MetadataValue.md(_table(last)),
        "diversity_chart": line_chart(CHART, list(chain), _lines(chain)),
    }


def diversity_picture(chain: Mapping[str, Measures]) -> bytes:
    """The same chart as a PNG."""
    return line_picture(CHART, list(chain), _lines(chain))


def _lines(chain: Mapping[str, Measures]) -> dict[str, list[float | None]]:
    return {
        "evenness of domains": [each.domains.evenness for each in chain.values()],
        "evenness of tools": [each.tools.evenness for each in chain.values()],
        "distinct 3-grams": [each.distinct[2] for each in chain.values()],
        "distance to seeds": [each.from_seeds for each in chain.values()],
        "near duplicates": [each.near_duplicates for each in chain.values()],
        "largest root": [each.lineage.largest_root for each in chain.values()],
    }


def figures(measures: Measures) -> dict[str, float | None]:
    """The measures that are one number, by name."""
    return {
        "distinct_1": measures.distinct[0],
        "distinct_2": measures.distinct[1],
        "distinct_3": measures.distinct[2],
        "domain_entropy": measures.domains.bits,
        "tool_entropy": measures.tools.bits,
        "near_duplicate_rate": measures.near_duplicates,
        "distance_to_seeds": measures.from_seeds,
        "lineage_depth": float(measures.lineage.depth),
        "largest_root": measures.lineage.largest_root,
    }


def in_words(measures: Measures) -> str:
    """One line: how varied a round is."""
    seeds = "" if measures.from_seeds is None else f"{measures.from_seeds:.2f} from the seeds, "
    named = measures.domains.counts.keys() != {UNNAMED}
    domains = f"{measures.domains.bits:.2f} bits" if named else "not named"
    return (
        f"domains {domains}, tools {measures.tools.bits:.2f} bits, "
        f"distinct 3-grams {measures.distinct[2]:.2f}, near copies {measures.near_duplicates:.1%}, {seeds}"
        f"{measures.lineage.roots} {'root' if measures.lineage.roots == 1 else 'roots'}, "
        f"{measures.lineage.depth} deep"
    )


def _table(measures: Measures) -> str:
    lineage = measures.lineage
    rows = {
        "distinct 1-, 2- and 3-grams": ", ".join(f"{share:.3f}" for share in measures.distinct),
        "domains": _spread(measures.domains),
        "tools": _spread(measures.tools),
        "task types": _spread(measures.types),
        "languages": _spread(measures.languages),
        "near duplicates": f"{measures.near_duplicates:.1%}",
        "distance to the seeds": "" if measures.from_seeds is None else f"{measures.from_seeds:.3f}",
        "generations": ", ".join(f"{name}: {count}" for name, count in lineage.generations.items()),
        "children a parent": f"{lineage.children_a_parent:.1f}, at most {lineage.most_children}",
        "roots": f"{lineage.roots}, the largest {lineage.largest_root:.1%}",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| measure | |", "| --- | --- |", *lines])


def _spread(spread: Spread) -> str:
    most = ", ".join(f"{name} {count}" for name, count in list(spread.counts.items())[:3])
    return f"{spread.bits:.2f} bits, evenness {spread.evenness:.2f} ({len(spread.counts)}: {most})"
