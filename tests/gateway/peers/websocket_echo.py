"""A WebSocket service and a client of it, by the library that most Python programs use.

`serve` prints its port and serves until it is killed. `call PORT CA TOKEN` opens WebSockets, and prints what came of
each as JSON.
"""

import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_over


def answer(socket):
    try:
        for message in socket:
            if message == "close":
                socket.close(4001, "as you like")
            elif message == "role":
                socket.send(socket.request.headers.get("X-Auth-User-Role", "-"))
            elif message == "pieces":
                socket.send(["a", "b", "c"])
            elif message == "ping":
                socket.send("pong" if socket.ping(b"are you there").wait(10) else "silence")
            else:
                socket.send(message)
    except ConnectionClosed:
        pass


def serve():
    with serve_over(answer, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


def call(port, ca, token):
    trust = ssl.create_default_context(cafile=ca)
    url = f"wss://localhost:{port}/ws"
    bearer = {"Authorization": f"Bearer {token}"}
    told = {}
    with connect(url, open_timeout=19, ssl=trust, additional_headers=bearer, subprotocols=["chat"], max_size=None) as socket:
        told["protocol"] = socket.subprotocol
        told["compressed"] = [extension.name for extension in socket.protocol.extensions]

        def ask(message):
            socket.send(message)
            return socket.recv(timeout=20)

        told["text"] = ask("grüß dich")
        told["binary"] = ask(bytes(range(256))) == bytes(range(256))
        long = "0123456789" * 300_000
        told["long"] = ask(long) == long
        told["in pieces"] = ask(["x" * 70_000, "y" * 70_000]) == "x" * 70_000 + "y" * 70_000
        told["pieces"] = ask("pieces")
        told["role"] = ask("role")
        told["ping of the service"] = ask("ping")
        told["ping of the client"] = socket.ping(b"and you").wait(20)
        socket.send("close")
        try:
            socket.recv(timeout=20)
        except ConnectionClosed as closed:
            told["closed"] = [closed.rcvd.code, closed.rcvd.reason]
    # As a browser does, which cannot set headers.
    with connect(url, open_timeout=19, ssl=trust, subprotocols=["chat", f"dariet.bearer.{token}"]) as socket:
        told["protocol of a browser"] = socket.subprotocol
        socket.close(4002, "enough")
    try:
        connect(url, ssl=trust)
    except InvalidStatus as refused:
        told["nobody"] = refused.response.status_code
    print(json.dumps(told))


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
