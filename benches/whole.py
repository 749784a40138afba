"""Instructions of whole proxied requests, counted in the real binary.

Used by instructions.py. The gateway runs under callgrind twice, with few requests and with many: what it does for the
others, from its start to its end, is the same in both and cancels out. Service and client take their time, so that the
gateway has nothing left to do when the next bytes come: how often it is woken is then the same in every run.
"""
import glob
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import stand
from seed import Operator, call

FEW, MANY = 100, 500
# Longer than the gateway needs under valgrind for one step of a request.
PAUSE = 0.003

CONFIG = """
[server]
listen = ["127.0.0.1:%(port)d"]
workers = 1
[admin]
listen = "127.0.0.1:0"
[store]
url = "embedded:gateway.db"
[passwords]
memory = "1MiB"
iterations = 1
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
[[routes]]
path = "/"
upstream = "service"
"""
PASSWORD = "a long enough pass phrase"
ANSWER = (b"HTTP/1.1 200 OK\r\nServer: service\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
          b"Content-Length: 1024\r\nCache-Control: no-store\r\n\r\n" + b"x" * 1024)
HEADERS = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "accept": "application/json",
           "accept-language": "en-GB,en;q=0.7", "accept-encoding": "gzip, deflate, br", "cookie": "theme=dark; lang=en",
           "referer": "https://gateway.example.com/reports", "x-auth-user-id": "forged"}


def serve(listener):
    """Answers each request of every connection with a kilobyte."""
    def answer(peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        while data := peer.recv(1 << 16):
            held += data
            while b"\r\n\r\n" in held:
                _, held = held.split(b"\r\n\r\n", 1)
                time.sleep(PAUSE)
                peer.sendall(ANSWER)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def http1(port, credential):
    """Something to call for each request."""
    peer = stand.tls(port)
    lines = "".join("%s: %s\r\n" % field for field in HEADERS.items())
    head = "GET /reports/2026?page=3 HTTP/1.1\r\nHost: gateway.example.com\r\n%sAuthorization: Bearer %s\r\n\r\n" % (lines, credential)

    def ask():
        peer.sendall(head.encode())
        status, body = stand.answer(peer)
        assert status == 200 and len(body) == 1024, (status, body)
    return ask


def http2(port, credential):
    peer = stand.http2(port)
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "gateway.example.com"), (":path", "/reports/2026?page=3")]
    fields += list(HEADERS.items()) + [("authorization", "Bearer " + credential)]
    block = b"".join(b"\0%c%s\x7f%s%s" % (len(n), n.encode(), integer(len(v) - 127), v.encode()) if len(v) >= 127
                     else b"\0%c%s%c%s" % (len(n), n.encode(), len(v), v.encode()) for n, v in fields)
    held, stream = b"", 1

    def ask():
        nonlocal held, stream
        # The window of the connection is given back in one piece with each request.
        give = stand.frame(8, 0, 0, (1024).to_bytes(4, "big"))
        peer.sendall(give + stand.frame(stand.HEADERS, stand.END_HEADERS | stand.END_STREAM, stream, block))
        while True:
            while len(held) >= 9 and len(held) >= 9 + int.from_bytes(held[:3], "big"):
                length = int.from_bytes(held[:3], "big")
                kind, flags, on = held[3], held[4], int.from_bytes(held[5:9], "big")
                held = held[9 + length:]
                assert kind in (stand.DATA, stand.HEADERS, stand.SETTINGS, 8), kind
                if on == stream and kind in (stand.DATA, stand.HEADERS) and flags & stand.END_STREAM:
                    stream += 2
                    return
            more = peer.recv(1 << 16)
            assert more, "the gateway closed the connection"
            held += more
    return ask


def integer(rest):
    """What follows a full prefix in HPACK."""
    out = b""
    while rest >= 128:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest])


class Gateway:
    """The gateway in a folder of its own, in which it may be started again and again."""

    def __init__(self, binary, folder):
        self.binary, self.folder = os.path.abspath(binary), folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=serve, args=(self.listener,), daemon=True).start()
        self.port, = stand.free_ports(1)
        with open(folder + "/gateway.toml", "w") as config:
            config.write(CONFIG % dict(port=self.port, service=self.listener.getsockname()[1]))
        self.credentials = self.seed()

    def run(self, wrapper=(), environment=()):
        log = open(self.folder + "/log", "a")
        argv = [*wrapper, self.binary, "--config", self.folder + "/gateway.toml", "serve"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder,
                                   env={**os.environ, **dict(environment)})
        deadline = time.monotonic() + 60
        while True:
            try:
                # A connection alone proves nothing: it may be to the socket that tries whether the port is free.
                stand.tls(self.port).close()
                return process
            except (OSError, ssl.SSLError):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    sys.exit("the gateway did not start: see " + log.name)
                time.sleep(0.05)

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def seed(self):
        process = self.run()
        operator = Operator(self.folder + "/admin.sock")
        user = {"email": "a@example.com", "name": "A", "password": PASSWORD, "role": "admin"}
        owner = call(operator, "POST", "/api/auth/users", user)["id"]
        key = call(operator, "POST", "/api/api-keys?user_id=" + owner, {"name": "k"})["key"]
        login = json.dumps({"email": user["email"], "password": PASSWORD})
        peer = stand.tls(self.port)
        peer.sendall(("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      "Content-Length: %d\r\n\r\n%s" % (len(login), login)).encode())
        token = json.loads(stand.answer(peer)[1])["access_token"]
        peer.close()
        self.end(process)
        return {"session": token, "key": key}

    def threads(self, environment, ask_by, credential, count):
        """Instructions of each thread of a run with `count` requests."""
        out = "%s/%s-%s-%d" % (self.folder, ask_by.__name__, credential, count)
        process = self.run(("valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", "--callgrind-out-file=" + out), environment)
        try:
            ask = ask_by(self.port, self.credentials[credential])
            for _ in range(count):
                ask()
                time.sleep(PAUSE)
        finally:
            self.end(process)
        numbers = (name.rsplit("-", 1)[1] for name in glob.glob(out + "-*"))
        return {number: total(out + "-" + number) for number in numbers}


def total(out):
    """Instructions in a file of callgrind's."""
    with open(out) as text:
        return int(re.search(r"^totals: (\d+)", text.read(), re.M).group(1))


def count(binary, environment):
    """Instructions of the worker for one request, by name."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        gateway = Gateway(binary, folder)
        for name, ask_by, credential in REQUESTS:
            few = gateway.threads(environment, ask_by, credential, FEW)
            many = gateway.threads(environment, ask_by, credential, MANY)
            # The worker is the thread that has the requests; the others have their own time.
            counts[name] = round(max(many[number] - few.get(number, 0) for number in many) / (MANY - FEW))
    return counts


REQUESTS = (
    ("request over HTTP/1.1, session", http1, "session"),
    ("request over HTTP/1.1, API key", http1, "key"),
    ("request over HTTP/2, session", http2, "session"),
)
