"""A TCP proxy before a local port that can be told to be slow, or to swallow what it gets."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

_CHUNK_BYTES = 64 * 1024
_LOOK_S = 0.05


class SlowProxy:
    """Passes bytes on, each chunk `delay_s` late; while `swallow` is set, none at all.

    Both may be set from any thread at any time. Connections stay open meanwhile.

    Attributes:
        port: where it listens, on loopback.
        delay_s: seconds that a chunk is held back, in each direction.
        swallow: nothing passes; what arrives waits.
    """

    def __init__(self, target_port: int) -> None:
        self.delay_s = 0.0
        self.swallow = False
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        try:
            pumps = {
                asyncio.ensure_future(self._pump(reader, far[1])),
                asyncio.ensure_future(self._pump(far[0], writer)),
            }
            _, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in left:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for end in (writer, far[1]):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            while self.swallow:
                await asyncio.sleep(_LOOK_S)
            sink.write(chunk)
            await sink.drain()
