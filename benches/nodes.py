#!/usr/bin/env python3
"""How long after DELETE is answered on one node does a key fail on the others?

    nodes.py GATEWAY [NODES [ROUNDS]]

Starts one redis-server and NODES gateways (the binary GATEWAY) on it. Each round makes a key, opens a stream
with it through every other node and asks with it there without pause, deletes it on the first node, and takes the
time from the answer to the first refusal, and to the end of the stream. A negative time means that it came before
the answer.
"""
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from seed import Operator, call

CONFIG = """
[server]
listen = ["http://127.0.0.1:%(port)d"]
[admin]
listen = "127.0.0.1:0"
socket = "%(folder)s/admin-%(port)d.sock"
[store]
url = "redis://127.0.0.1:%(redis)d"
[sessions]
issuer = "http://127.0.0.1"
[[sessions.signing_keys]]
file = "signing-key.pem"
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
[[routes]]
path = "/"
upstream = "service"
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def service(listener):
    """Answers /short with two bytes, and streams events to whoever asks for anything else until they are gone."""
    def serve(peer):
        head = b""
        try:
            while True:
                while b"\r\n\r\n" not in head:
                    more = peer.recv(65536)
                    if not more:
                        return
                    head += more
                asked, head = head.split(b"\r\n\r\n", 1)
                if asked.startswith(b"GET /short "):
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    continue
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    peer.sendall(b"d\r\ndata: hello\n\n\r\n")
                    time.sleep(0.005)
        except OSError:
            peer.close()
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(peer,), daemon=True).start()


def started(argv, folder, name, ready):
    log = open("%s/%s.log" % (folder, name), "w")
    process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    deadline = time.monotonic() + 20
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("%s did not start: see %s" % (name, log.name))
        time.sleep(0.02)
    return process


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def begin(port, key, path):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(request(key, path))
    return peer


def request(key, path):
    return b"GET %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n" % (path, key.encode())


def until_refused(port, key, refused):
    """Asks without pause until it is refused. An answer that had begun is cut instead: then it asks anew."""
    peer = begin(port, key, b"/short")
    while True:
        try:
            answer = peer.recv(65536)
        except ConnectionResetError:
            answer = b""
        if not answer:
            peer.close()
            peer = begin(port, key, b"/short")
        elif not answer.startswith(b"HTTP/1.1 200"):
            refused.append((time.perf_counter(), answer[9:12]))
            return peer.close()
        else:
            peer.sendall(request(key, b"/short"))


def until_end(peer, ended):
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass
    ended.append(time.perf_counter())


def one_round(operator, owner, others):
    key = call(operator, "POST", "/api/api-keys?user_id=" + owner, {"name": "k"})
    refused, ended, threads = [], [], []
    for port in others:
        stream = begin(port, key["key"], b"/s")
        assert stream.recv(65536).startswith(b"HTTP/1.1 200"), "a new key works at once"
        threads.append(threading.Thread(target=until_end, args=(stream, ended)))
        threads.append(threading.Thread(target=until_refused, args=(port, key["key"], refused)))
    for thread in threads:
        thread.start()
    time.sleep(0.005)
    operator.request("DELETE", "/api/api-keys/" + key["id"])
    answer = operator.getresponse()
    answer.read()
    answered = time.perf_counter()
    assert answer.status == 204, answer.status
    for thread in threads:
        thread.join(20)
    assert all(status == b"401" for _, status in refused), refused
    assert len(refused) == len(ended) == len(others)
    return [at - answered for at, _ in refused], [at - answered for at in ended]


def told(name, times):
    times = sorted(1000 * it for it in times)
    p99 = times[max(0, int(len(times) * 0.99) - 1)]
    print("%-14s p50 %.2f ms, p99 %.2f ms, max %.2f ms over %d" % (
        name, statistics.median(times), p99, times[-1], len(times)), flush=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    nodes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    folder = tempfile.mkdtemp(prefix="nodes-")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=service, args=(listener,), daemon=True).start()
    behind = listener.getsockname()[1]
    # Threads that take turns of 5 ms would be what is measured.
    sys.setswitchinterval(0.0002)
    redis, ports, running = free_port(), [], []
    try:
        argv = ["redis-server", "--port", str(redis), "--save", "", "--appendonly", "yes", "--dir", folder]
        running.append(started(argv, folder, "redis", lambda: listens(redis)))
        subprocess.run([binary, "signing-key", "create", folder + "/signing-key.pem"], check=True, capture_output=True)
        for _ in range(nodes):
            port = free_port()
            ports.append(port)
            path = "%s/node-%d.toml" % (folder, port)
            with open(path, "w") as config:
                config.write(CONFIG % dict(service=behind, port=port, redis=redis, folder=folder))
            argv = [binary, "--config", path, "serve"]
            running.append(started(argv, folder, "node-%d" % port, lambda: listens(port)))
        operator = Operator("%s/admin-%d.sock" % (folder, ports[0]))
        user = {"email": "a@example.com", "name": "A", "password": "a long enough pass phrase", "role": "admin"}
        owner = call(operator, "POST", "/api/auth/users", user)["id"]
        refusals, cuts = [], []
        for _ in range(rounds):
            refused, ended = one_round(operator, owner, ports[1:])
            refusals += refused
            cuts += ended
        print("%d nodes, %d rounds" % (nodes, rounds))
        told("first refusal", refusals)
        told("cut in flight", cuts)
    finally:
        for process in running:
            process.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    main()
