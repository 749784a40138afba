#!/usr/bin/env python3
"""How long after DELETE is answered does a stream in flight end at its client?

    cut.py GATEWAY [ROUNDS]

Starts GATEWAY (the binary) with an upstream that streams for ever, and for HTTP/1.1, HTTP/2 and WebSocket
makes a key, opens a stream with it, deletes the key, and takes the time from the answer to the end of the stream. A
negative time means that the client saw the end before the answer. Needs the PyPI package h2.
"""
import base64
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import h2.config
import h2.connection
import h2.events

from seed import Operator, call

CHUNK = b"data: " + b"x" * 50 + b"\n\n"


def upstream(listener):
    """Streams events, or WebSocket frames after an upgrade, to whoever asks, until they are gone."""
    def serve(peer):
        head = b""
        try:
            while b"\r\n\r\n" not in head:
                head += peer.recv(65536)
            if b"upgrade: websocket" in head.lower():
                peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                chunk = b"\x82\x05hello"
            else:
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                chunk = b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK)
            while True:
                peer.sendall(chunk)
                time.sleep(0.005)
        except OSError:
            peer.close()
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(peer,), daemon=True).start()


def trust(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


def connect(port, alpn):
    return trust(alpn).wrap_socket(socket.create_connection(("127.0.0.1", port)))


def until_end(peer):
    """Reads until the stream ends, one way or another; answers when."""
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass
    return time.perf_counter()


def http1(port, key, extra=b""):
    peer = connect(port, "http/1.1")
    peer.sendall(b"GET /s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n%s\r\n" % (key.encode(), extra))
    peer.recv(65536)
    return lambda: until_end(peer)


def websocket(port, key):
    nonce = base64.b64encode(os.urandom(16))
    extra = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
    return http1(port, key, extra % nonce)


def http2(port, key):
    peer = connect(port, "h2")
    state = h2.connection.H2Connection(config=h2.config.H2Configuration(client_side=True))
    state.initiate_connection()
    state.increment_flow_control_window(1 << 30)
    head = [(":method", "GET"), (":path", "/s"), (":scheme", "https"), (":authority", "localhost"), ("x-api-key", key)]
    state.send_headers(1, head, end_stream=True)
    peer.sendall(state.data_to_send())
    got = threading.Event()
    ended = []

    def read():
        while True:
            data = peer.recv(65536)
            for event in state.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    state.increment_flow_control_window(event.flow_controlled_length, 1)
                    got.set()
                if isinstance(event, h2.events.StreamReset):
                    ended.append(time.perf_counter())
                    return
            peer.sendall(state.data_to_send())
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    got.wait(10)

    def end():
        reader.join(10)
        return ended[0]
    return end


def main():
    binary, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    folder = tempfile.mkdtemp(prefix="cut-")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=upstream, args=(listener,), daemon=True).start()
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with open(folder + "/gateway.toml", "w") as config:
        config.write("""
[server]
listen = ["127.0.0.1:%d"]
[admin]
listen = "127.0.0.1:0"
[store]
url = "embedded:gateway.db"
[upstreams.stream]
servers = ["http://127.0.0.1:%d"]
[[routes]]
path = "/"
upstream = "stream"
""" % (port, listener.getsockname()[1]))
    log = open(folder + "/log", "w")
    argv = [binary, "--config", folder + "/gateway.toml", "serve"]
    gateway = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        while not os.path.exists(folder + "/admin.sock"):
            time.sleep(0.05)
        user = {"email": "a@example.com", "name": "A", "password": "a long enough pass phrase", "role": "admin"}
        operator = Operator(folder + "/admin.sock")
        owner = call(operator, "POST", "/api/auth/users", user)["id"]
        for name, stream in (("HTTP/1.1", http1), ("HTTP/2", http2), ("WebSocket", websocket)):
            times = []
            for _ in range(rounds):
                key = call(operator, "POST", "/api/api-keys?user_id=" + owner, {"name": "k"})
                end = stream(port, key["key"])
                found = []
                waiting = threading.Thread(target=lambda: found.append(end()))
                waiting.start()
                operator.request("DELETE", "/api/api-keys/" + key["id"])
                answer = operator.getresponse()
                answer.read()
                answered = time.perf_counter()
                assert answer.status == 204, answer.status
                waiting.join(10)
                times.append((found[0] - answered) * 1000)
            times.sort()
            p99 = times[int(len(times) * 0.99) - 1]
            print("%-10s p50 %.2f ms, p99 %.2f ms, max %.2f ms over %d" % (
                name, statistics.median(times), p99, times[-1], len(times)), flush=True)
    finally:
        gateway.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    main()
