"""The server in a thread of this process, or by itself."""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from tests.hub.app import USERS, Hub


def _server(hub: Hub, port: int) -> tuple[uvicorn.Server, socket.socket]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # little is taken in ahead of what is read, so that a body which is read slowly is sent slowly too
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**18)
    listener.bind(("127.0.0.1", port))
    hub.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return uvicorn.Server(uvicorn.Config(hub, log_level="error", lifespan="off", timeout_keep_alive=30)), listener


@contextmanager
def running(root: Path, port: int = 0) -> Iterator[Hub]:
    """Run a Hub in a thread while the block lasts."""
    hub = Hub(root)
    server, listener = _server(hub, port)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.005)
    try:
        yield hub
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=20)


def serve(port: int, root: Path) -> None:
    """Run a Hub until it is stopped; its first line of output says where it is and who may use it."""
    hub = Hub(root)
    server, listener = _server(hub, port)

    def announce() -> None:
        while not server.started:
            time.sleep(0.01)
        print(json.dumps({"endpoint": hub.endpoint, "users": USERS}), flush=True)

    threading.Thread(target=announce, daemon=True).start()
    server.run(sockets=[listener])
    sys.exit(0)
