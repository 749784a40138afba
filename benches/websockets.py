#!/usr/bin/env python3
"""How much memory does a WebSocket take that is open and quiet?

    websockets.py GATEWAY [COUNT]

Starts GATEWAY (the binary) before a service, and opens COUNT (10000) WebSockets that say one thing and then nothing, over HTTP/1.1 without
TLS and with it, from several addresses of this machine. Says what resident memory each takes once all are quiet, and whether a hundred of
them still answer. The gateway has two files open for each, so where a process may not have 2 * COUNT of them open, fewer are opened.
"""
import asyncio
import base64
import hashlib
import multiprocessing
import os
import resource
import socket
import ssl
import sys
import time

import stand

# Connections of one client address; the gateway's own bound is 5,000.
OF_ONE_ADDRESS = 4000
AT_ONCE = 50
CONFIG = """
[server]
listen = ["127.0.0.1:%(tls)d", "http://127.0.0.1:%(plain)d"]
max_connections = 20000
%(server)s
[admin]
listen = "127.0.0.1:%(admin)d"
[store]
url = "embedded:gateway.db"
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
max_connections = 20000
max_in_flight = 20000
[[routes]]
path = "/"
upstream = "service"
public = true
"""
SAID, ANSWER = b"\x81\x84\x00\x00\x00\x00ping", b"\x81\x04ping"
HEAD = b"GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


class Echo(asyncio.Protocol):
    """Agrees to be a WebSocket, and answers each frame of four masked bytes."""

    def connection_made(self, transport):
        self.transport, self.data, self.is_open = transport, b"", False

    def data_received(self, data):
        self.data += data
        if not self.is_open and b"\r\n\r\n" in self.data:
            head, self.data = self.data.split(b"\r\n\r\n", 1)
            fields = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
            key = next(value for name, value in fields if name.lower() == b"sec-websocket-key")
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self.is_open = True
        while len(self.data) >= 10:
            mask, text, self.data = self.data[2:6], self.data[6:10], self.data[10:]
            self.transport.write(b"\x81\x04" + bytes(b ^ mask[i] for i, b in enumerate(text)))


def serve(port):
    async def run():
        await (await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)).serve_forever()
    asyncio.run(run())


def receive(peer, length):
    data = b""
    while len(data) < length:
        more = peer.recv(length - len(data))
        if not more:
            sys.exit("a WebSocket was closed")
        data += more
    return data


def open_one(port, number, context):
    peer = socket.create_connection(("127.0.0.1", port), 20, source_address=("127.0.0.%d" % (2 + number // OF_ONE_ADDRESS), 0))
    if context:
        peer = context.wrap_socket(peer)
    peer.sendall(HEAD)
    head = b""
    while b"\r\n\r\n" not in head:
        head += receive(peer, 1)
    if not head.startswith(b"HTTP/1.1 101 "):
        sys.exit("no WebSocket: " + head.decode())
    assert says_well(peer)
    return peer


def says_well(peer):
    peer.sendall(SAID)
    return receive(peer, len(ANSWER)) == ANSWER


def quiet(gateway):
    """Resident memory in KiB, once it does not fall any more."""
    before = gateway.memory()
    while True:
        time.sleep(2)
        now = gateway.memory()
        if now >= before:
            return now
        before = now


def measure(binary, count, context):
    with stand.Gateway(binary, config=CONFIG) as gateway:
        service = multiprocessing.Process(target=serve, args=(gateway.service,), daemon=True)
        service.start()
        while socket.socket().connect_ex(("127.0.0.1", gateway.service)):
            time.sleep(0.05)
        at = gateway.tls if context else gateway.plain
        peers = [open_one(at, 0, context) for _ in range(AT_ONCE)]
        for peer in peers:
            peer.close()
        gateway.until_quiet(10)
        before, descriptors = quiet(gateway), gateway.descriptors()
        peers = [open_one(at, number, context) for number in range(count)]
        after = quiet(gateway)
        well = sum(says_well(peer) for peer in peers[::max(1, count // 100)])
        print("%-7s %d WebSockets: %.1f KiB each, %.0f MiB in all (%.0f before); %d files; %d of those asked answer" % (
            "TLS" if context else "no TLS", count, (after - before) / count, after / 1024, before / 1024,
            gateway.descriptors() - descriptors, well), flush=True)
        for peer in peers:
            peer.close()
        service.kill()


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 2 * count + 200),) * 2)
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(count, (hard - 200) // 2)
    for context in (None, stand.trust("http/1.1")):
        measure(sys.argv[1], count, context)


if __name__ == "__main__":
    main()
