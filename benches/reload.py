#!/usr/bin/env python3
"""What does a reload under load cost, and how long does it take?

    reload.py GATEWAY [RATE] [SECONDS]

Starts GATEWAY (the binary) before a server, opens 100 WebSockets on a route that nothing touches, and makes RATE (1000) GETs a second
over kept connections, spread over SECONDS (6). Meanwhile the configuration is exchanged ten times a second: a route comes
or goes, and every third time the upstream of the GETs is another. Says how many requests were lost (no answer, or none of the server's) and
how many WebSockets do not answer afterwards. Then, without load, how long `reload` takes from its start to its end, with 10
and 1,000 routes, and what of it the node took (from the socket's request to its answer).
"""
import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from steady import Load, start_gateway

WEBSOCKETS = 100
SERVER = r"""
import asyncio, base64, hashlib
class Serve(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data, self.is_websocket = transport, b"", False
    def data_received(self, data):
        if self.is_websocket:
            # A frame of a client, four bytes long and masked, comes back as one of a server.
            mask, text = data[2:6], data[6:]
            return self.transport.write(bytes([0x81, len(text)]) + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, self.data = self.data.split(b"\r\n\r\n", 1)
            self.answer(head)
    def answer(self, head):
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = next((value for name, value in fields.items() if name.lower() == b"sec-websocket-key"), None)
        if key is None:
            asyncio.get_event_loop().call_later(0.002, self.transport.write, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.is_websocket = True
        self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
async def main():
    server = await asyncio.get_running_loop().create_server(Serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def write_config(folder, port, routes=(), idle=256):
    text = """
[server]
listen = ["http://127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[store]
url = "embedded:gateway.db"
[logging]
format = "json"
[upstreams.site]
servers = ["http://127.0.0.1:%d"]
max_idle = %d
[upstreams.sockets]
servers = ["http://127.0.0.1:%d"]
[[routes]]
path = "/"
upstream = "site"
public = true
[[routes]]
path = "/socket"
upstream = "sockets"
public = true
""" % (port, idle, port)
    for route in routes:
        text += '[[routes]]\npath = "%s"\nupstream = "site"\nallow = [{ role = "admin" }]\n' % route
    with open(folder + "/new.toml", "w") as config:
        config.write(text)
    os.replace(folder + "/new.toml", folder + "/gateway.toml")


def open_websocket(address):
    host, port = address.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    stream.sendall(("GET /socket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (address, key)).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return stream


def answers(stream):
    try:
        stream.sendall(b"\x81\x84\x00\x00\x00\x00ping")
        return stream.recv(6, socket.MSG_WAITALL) == b"\x81\x04ping"
    except OSError:
        return False


def reload(binary, folder):
    began = time.monotonic()
    done = subprocess.run([binary, "--config", folder + "/gateway.toml", "reload"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def reload_in_node(folder):
    """The same without the command: what the node takes."""
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(folder + "/admin.sock")
    began = time.monotonic()
    connection.request("POST", "/config/reload")
    answer = connection.getresponse()
    body = answer.read()
    took = time.monotonic() - began
    assert answer.status == 200 and json.loads(body)["changes"], body
    return took


def under_load(binary, folder, address, port, rate, seconds):
    sockets = [open_websocket(address["http"]) for _ in range(WEBSOCKETS)]
    load, took = Load(address["http"], rate, seconds), []
    number = 0
    while time.monotonic() < load.end:
        number += 1
        write_config(folder, port, ["/more"] if number % 2 else [], 200 + number // 3)
        took.append(reload_in_node(folder))
        time.sleep(max(0, load.begin + number / 10 - time.monotonic()))
    load.wait()
    dropped = sum(not answers(stream) for stream in sockets)
    print("under load: %d requests, p50 %.1f ms, max %.0f ms; %d reloads, p50 %.1f ms, max %.0f ms; lost %d %s; WebSockets dropped %d of %d" % (
        len(load.times), statistics.median(load.times) * 1000, max(load.times) * 1000, number, statistics.median(took) * 1000,
        max(took) * 1000, len(load.lost), sorted({str(what) for _, what in load.lost}) if load.lost else "", dropped, len(sockets)), flush=True)


def to_apply(binary, folder, port, count):
    whole, node = [], []
    for number in range(10):
        routes = ["/r%d/x" % n for n in range(count - 3)]
        write_config(folder, port, routes + ["/last%d" % number])
        whole.append(reload(binary, folder))
        write_config(folder, port, routes + ["/other%d" % number])
        node.append(reload_in_node(folder))
    print("%5d routes: reload p50 %.0f ms, max %.0f ms; in the node p50 %.1f ms, max %.0f ms" % (
        count, statistics.median(whole) * 1000, max(whole) * 1000, statistics.median(node) * 1000, max(node) * 1000), flush=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 6
    folder = tempfile.mkdtemp(prefix="reload-")
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    port = int(server.stdout.readline())
    write_config(folder, port)
    gateway, address = start_gateway(binary, folder)
    try:
        under_load(binary, folder, address, port, rate, seconds)
        for count in (10, 1000):
            to_apply(binary, folder, port, count)
    finally:
        gateway.kill()
        server.kill()


if __name__ == "__main__":
    main()
