"""`adp candidates`: what mutation proposed, and what every gate said of it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from adp_assets.mutation.table import CandidateTable, JudgedCandidate
from adp_service.cli.output import console, id_column, in_short, print_table
from adp_service.platform import Platform
from runtimes.errors import ConfigurationError

SHOWN = 70
LISTED = 50


def candidates(
    round: Annotated[str | None, typer.Argument(help="A round. Default: all.")] = None,
    gate: Annotated[str | None, typer.Option("--gate", help="Only what this gate decided.")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only what was refused.")] = False,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="Only what could not be judged yet.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="All of them as JSON, with every verdict and the task.")
    ] = False,
) -> None:
    """List the candidates for new tasks, the newest first, with the gate that decided and its reason."""
    platform = Platform({})
    if round is not None and platform.rounds.get(round) is None:
        known = ", ".join(planned.name for planned in platform.rounds.all()[-5:])
        remedy = f"The newest rounds: {known}." if known else "Run some tasks first: adp run FILE."
        raise ConfigurationError(f"There is no round {round!r}.", remedy)
    if rejected and undecided:
        raise ConfigurationError(
            "--rejected and --undecided exclude one another.", "Give one of them, or none for all candidates."
        )
    found = CandidateTable(platform.database).find(
        round, gate=gate, accepted=False if rejected else None, undecided=undecided
    )
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    if not found:
        console.print("No candidates.")
        return
    print_table(_table(found[:LISTED]))
    if len(found) > LISTED:
        console.print(f"... and {len(found) - LISTED} more (--json lists all)")
    console.print(_summary(found))


def _table(found: list[JudgedCandidate]) -> Table:
    table = Table(
        id_column("candidate", (each.task_id for each in found)),
        id_column("round", (each.round for each in found)),
        *("refused by", "reason"),
        box=None,
        pad_edge=False,
    )
    for each in found:
        gate = {True: "(accepted)", False: each.gate, None: "(undecided)"}[each.accepted]
        table.add_row(*map(escape, (each.task_id, each.round, gate, in_short(each.reason, SHOWN))))
    return table


def _summary(found: list[JudgedCandidate]) -> str:
    """`13 candidates: 9 accepted, 1 undecided, rejected by novelty 2, sanity 1`."""
    ends = Counter(each.accepted for each in found)
    refused = Counter(each.gate for each in found if each.accepted is False)
    said = f"{len(found)} candidates: {ends[True]} accepted"
    said += f", {ends[None]} undecided" if ends[None] else ""
    by_gate = ", ".join(f"{gate} {count}" for gate, count in refused.most_common())
    return said + (f", rejected by {by_gate}" if by_gate else "")
