"""On the path of every client process of the tests: no connection but to this machine."""

import socket

_connect = socket.socket.connect


def _guarded(self: socket.socket, address: object) -> None:
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise AssertionError(f"a test's client wants to connect to {address}")
    return _connect(self, address)


socket.socket.connect = _guarded  # type: ignore[method-assign]
