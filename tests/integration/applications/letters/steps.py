"""What the application, its worker and its administrator do: `python steps.py STEP`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from jobs import SENT, app, deliver, lose, send
from procrastinate import exceptions


def notes(task: str) -> list[dict[str, Any]]:
    """What the jobs of a task were given so far."""
    lines = SENT.read_text().splitlines() if SENT.exists() else []
    return [done for done in map(json.loads, lines) if done.pop("task") == task]


def letter(i: int) -> dict[str, Any]:
    return {"kanarie": [i, None, 1.5, 'it\'s \\ "here" {a,b} (☃)\n']}


def defer() -> None:
    """Jobs one by one, many at once, for later, under locks."""
    with app.open():
        send.defer(to="kanarie 0", letter=letter(0))
        ids = send.batch_defer(*({"to": f"kanarie {i}", "letter": letter(i)} for i in range(1, 4)))
        assert len(ids) == 3
        send.configure(lock="one", priority=5).defer(to="kanarie 4", letter=letter(4))
        later = send.configure(schedule_in={"days": 1}, queueing_lock="later")
        later.defer(to="kanarie later", letter={})
        try:
            later.defer(to="kanarie again", letter={})
        except exceptions.AlreadyEnqueued:
            pass
        else:
            raise AssertionError("two jobs under one queueing lock")
        deliver.defer(to="kanarie 5")
        lose.defer(to="kanarie 6")


async def defer_async() -> None:
    """The same over an asynchronous pool."""
    async with app.open_async():
        await send.defer_async(to="kanarie 7", letter=letter(7))
        await send.batch_defer_async(
            {"to": "kanarie 8", "letter": letter(8)}, {"to": "kanarie 9", "letter": {}}
        )


async def work() -> None:
    """A worker until all is done: it fetches, runs, retries, defers periodic jobs, hears of new ones."""
    async with app.open_async():
        worker = asyncio.create_task(app.run_worker_async(concurrency=2, install_signal_handlers=False))
        while len(notes("send")) < 8 or len(notes("deliver")) < 3 or not notes("remind"):
            await asyncio.sleep(0.05)
            assert not worker.done(), worker.exception()
        await send.defer_async(to="kanarie new", letter=letter(10))
        while len(notes("send")) < 9:  # noqa: ASYNC110 -- a file has no event
            await asyncio.sleep(0.05)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    sent = {done["to"]: done["letter"] for done in notes("send")}
    expected = {f"kanarie {i}": letter(i) for i in (0, 1, 2, 3, 4, 7, 8)}
    assert sent == {**expected, "kanarie 9": {}, "kanarie new": letter(10)}
    assert notes("deliver") == [
        {"to": "kanarie 5", "attempt": i, "kwargs": {"to": "kanarie 5"}} for i in range(3)
    ]
    for done in notes("remind"):
        assert done["kwargs"] == {"timestamp": done["timestamp"]}


async def manage() -> None:
    """What an administrator's shell does: list, count, cancel, retry, find what is stalled, delete."""
    manager = app.job_manager
    async with app.open_async():
        assert await app.check_connection_async()
        (lost,) = await manager.list_jobs_async(task="jobs.lose")
        assert (lost.status, lost.task_kwargs) == ("failed", {"to": "kanarie 6"})
        (later,) = await manager.list_jobs_async(queueing_lock="later")
        assert later.task_kwargs == {"to": "kanarie later", "letter": {}}
        assert await manager.cancel_job_by_id_async(later.id)
        assert (await manager.get_job_status_async(later.id)).value == "cancelled"
        assert [queue["name"] for queue in await manager.list_queues_async()] == ["letters"]
        assert len(await manager.list_tasks_async()) == 4
        assert await manager.list_locks_async() is not None
        await manager.get_stalled_jobs(seconds_since_heartbeat=30)
        await manager.delete_old_jobs(nb_hours=0, include_cancelled=True)
        assert [job.task_kwargs for job in await manager.list_jobs_async(task="jobs.lose")] == [
            {"to": "kanarie 6"}
        ]


STEPS = {"defer": defer, "defer_async": defer_async, "work": work, "manage": manage}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        done = STEPS[name]()
        if done is not None:
            asyncio.run(done)
