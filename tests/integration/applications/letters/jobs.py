"""An application whose letters are sent by jobs in the database. Nothing here knows of pgveil.

What its jobs were given is written to sent.jsonl.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy

SENT = Path("sent.jsonl")
app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=1, max_size=4))


def note(**done: Any) -> None:
    with SENT.open("a") as file:
        file.write(json.dumps(done) + "\n")


@app.task(queue="letters")
async def send(to: str, letter: dict[str, Any]) -> None:
    note(task="send", to=to, letter=letter)


@app.task(queue="letters", retry=RetryStrategy(max_attempts=3), pass_context=True)
def deliver(context: JobContext, to: str) -> None:
    note(task="deliver", to=to, attempt=context.job.attempts, kwargs=context.job.task_kwargs)
    if context.job.attempts < 2:
        raise OSError("nobody is at home")


@app.task(queue="letters")
def lose(to: str) -> None:
    raise ValueError("no such address")


@app.periodic(cron="* * * * * *", periodic_id="daily")
@app.task(queue="letters", pass_context=True)
def remind(context: JobContext, timestamp: int) -> None:
    note(task="remind", kwargs=context.job.task_kwargs, timestamp=timestamp)
