"""Dialogues on several machines: each worker of a Ray cluster opens the catalog once and plays what it is given.

Every node needs this package and the catalog at the same path; records come back to the one run folder.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from eval.runs import Record
from tools.errors import UsherError

if TYPE_CHECKING:
    from eval.simulate import Asked, Task


@contextmanager
def on_cluster(asked: "Asked") -> "Iterator[Callable[[Task], Record]]":
    """A function that plays a task on whichever of `asked.jobs` workers is free; for as many threads at once.

    Raises UsherError when Ray is not installed, when no cluster answers at the address, or for what a worker refuses.
    """
    try:
        import ray
        from ray.exceptions import RayTaskError
    except ModuleNotFoundError as error:
        raise UsherError("--ray: Ray is not installed; run: pip install 'usher-recommender[ray]'") from error
    from eval.simulate import Simulation

    try:
        ray.init(address=asked.ray, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise UsherError(f"--ray: no cluster at {asked.ray} ({str(error).splitlines()[0]})") from error
    try:
        worker = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(Simulation)
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(asked.jobs):
            free.put(worker.remote(asked))

        def play(task: "Task") -> Record:
            mine = free.get()
            try:
                record: Record = ray.get(mine.dialogue.remote(task))
            except RayTaskError as error:
                raise UsherError(f"--ray: a worker stopped: {error.cause}") from error
            finally:
                free.put(mine)
            return record

        yield play
    finally:
        ray.shutdown()
