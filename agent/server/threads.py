"""A turn's events in the event loop: the turn runs in a thread of its own, and stops when the client goes away."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import closing, suppress

from fastapi import Request

from agent.events import Event
from agent.server.service import Conversation, Service
from agent.server.watched import Watch


async def events_of(
    service: Service, conversation: Conversation, text: str, watch: Watch, request: Request | None = None
) -> AsyncGenerator[Event, None]:
    """The events as they come. Raises what the turn raises, Busy at once, and Late.

    The place in the queue is held until the thread has ended, also when nobody listens any more.
    """
    async with service.gate.place_async(max(0.0, watch.until - time.monotonic())):
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()

        def put(item: Event | BaseException | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: the server is going down
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def work() -> None:
            try:
                with closing(service.turn(conversation, text, watch)) as events:
                    for event in events:
                        put(event)
            except BaseException as error:  # noqa: BLE001 - carried to the event loop, which raises it
                put(error)
            put(None)

        thread = threading.Thread(target=work, daemon=True, name="turn")
        thread.start()
        leaving = asyncio.create_task(_until_left(request, watch)) if request is not None else None
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            watch.left.set()
            if leaving is not None:
                leaving.cancel()
            await asyncio.shield(asyncio.to_thread(thread.join))


async def _until_left(request: Request, watch: Watch) -> None:
    """Wait for the client to close its connection."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.2)
    watch.left.set()
