"""How a step hears that its run is to stop, and how it ends then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from adp_resources.cancellation import RoundCancelled
from adp_resources.settings import secret_redactor
from runtimes.errors import PlatformError

STOPPING = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}


def cancelled(context: dg.AssetExecutionContext) -> Callable[[], bool]:
    """Whether the run was told to stop, in the UI or by `adp cancel`; both end in the run's status."""

    def asked() -> bool:
        run = context.instance.get_run_by_id(context.run.run_id)
        return run is not None and run.status in STOPPING

    return asked


@contextmanager
def failing_in_words(context: dg.AssetExecutionContext, what: str = "") -> Iterator[None]:
    """Turn the platform's errors into the step's failure, said in their own words and not retried.

    A stop that came as a signal, which Dagster was told nothing of, lets the run end as canceled, too.
    Dagster writes down the words of an error and of its causes, so it gets all without secrets.
    """
    try:
        yield
    except RoundCancelled as error:
        run = context.instance.get_run_by_id(context.run.run_id)
        if run is not None and run.status not in STOPPING:
            context.instance.report_run_canceling(run, message="Stopped by a signal.")
        raise dg.Failure(str(error), allow_retries=False) from error
    except PlatformError as error:
        secret_redactor().error(error)
        raise dg.Failure(f"{what}{error}", allow_retries=False) from error
    except Exception as error:
        secret_redactor().error(error)
        raise
