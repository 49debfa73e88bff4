"""The process of a local worker: jobs come in on a pipe, and how they ended goes out."""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from teachrl.campaigns.jobs import carry_out_packed


def main(descriptor: int) -> None:
    """Carry out one job after the other, until there is nobody any more who asks for them."""
    connection = Connection(descriptor)
    jobs: SimpleQueue[bytes | None] = SimpleQueue()
    Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    with suppress(BrokenPipeError):
        while (payload := jobs.get()) is not None:
            connection.send(carry_out_packed(payload, connection.send))


def _listen(connection: Connection, jobs: "SimpleQueue[bytes | None]") -> None:
    """Pass jobs on; once the other side is gone, ask the run that is under way to stop softly."""
    try:
        while True:
            jobs.put(connection.recv_bytes())
    except (EOFError, OSError):
        jobs.put(None)
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]))
