"""A WebSocket service and a client of it, by the library that most Python programs use.

`serve` prints its port and serves until it is killed. `call PORT CA TOKEN` opens WebSockets, and prints what came of
each as JSON.
"""

import asyncio
import json
import ssl
import sys

# Not the client of `websockets.sync`: it reads and writes in two threads, and loses requests when OpenSSL reads a
# ticket of TLS 1.3 in one while the other writes.
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
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


async def call(port, ca, token):
    trust = ssl.create_default_context(cafile=ca)
    url = f"wss://localhost:{port}/ws"
    bearer = {"Authorization": f"Bearer {token}"}
    told = {}
    async with connect(url, open_timeout=19, ssl=trust, additional_headers=bearer, subprotocols=["chat"], max_size=None) as socket:
        told["protocol"] = socket.subprotocol
        told["compressed"] = [extension.name for extension in socket.protocol.extensions]

        async def ask(message):
            await socket.send(message)
            return await within(socket.recv())

        told["text"] = await ask("grüß dich")
        told["binary"] = await ask(bytes(range(256))) == bytes(range(256))
        long = "0123456789" * 300_000
        told["long"] = await ask(long) == long
        told["in pieces"] = await ask(["x" * 70_000, "y" * 70_000]) == "x" * 70_000 + "y" * 70_000
        told["pieces"] = await ask("pieces")
        told["role"] = await ask("role")
        told["ping of the service"] = await ask("ping")
        await within(await socket.ping(b"and you"))
        told["ping of the client"] = True
        await socket.send("close")
        try:
            await within(socket.recv())
        except ConnectionClosed as closed:
            told["closed"] = [closed.rcvd.code, closed.rcvd.reason]
    # As a browser does, which cannot set headers.
    async with connect(url, open_timeout=19, ssl=trust, subprotocols=["chat", f"dariet.bearer.{token}"]) as socket:
        told["protocol of a browser"] = socket.subprotocol
        await socket.close(4002, "enough")
    try:
        await connect(url, open_timeout=19, ssl=trust)
    except InvalidStatus as refused:
        told["nobody"] = refused.response.status_code
    print(json.dumps(told))


def within(answer):
    return asyncio.wait_for(answer, 20)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        asyncio.run(call(*sys.argv[2:]))
