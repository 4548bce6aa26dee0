"""Dialogues on several machines: each worker of a Ray cluster opens the catalog once and plays what it is given.

Every node needs this package and the catalog at the same path; records come back to the one run folder.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from eval.runs import Record
from tools.errors import UsherError


@contextmanager
def on_cluster(
    address: str, jobs: int, player: type[Any], asked: Any, method: str = "dialogue"
) -> Iterator[Callable[[Any], Record]]:
    """A function that gives a task to whichever of `jobs` workers is free; for as many threads at once. Each worker
    opens `player(asked)` and answers with what that method of it makes of the task.

    Raises UsherError when Ray is not installed, when no cluster answers at the address, or for what a worker refuses.
    """
    try:
        import ray
        from ray.exceptions import RayTaskError
    except ModuleNotFoundError as error:
        raise UsherError("--ray: Ray is not installed; run: pip install 'usher-recommender[ray]'") from error
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise UsherError(f"--ray: no cluster at {address} ({str(error).splitlines()[0]})") from error
    try:
        worker = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(player)
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(jobs):
            free.put(worker.remote(asked))

        def play(task: Any) -> Record:
            mine = free.get()
            try:
                record: Record = ray.get(getattr(mine, method).remote(task))
            except RayTaskError as error:
                raise UsherError(f"--ray: a worker stopped: {error.cause}") from error
            finally:
                free.put(mine)
            return record

        yield play
    finally:
        ray.shutdown()
