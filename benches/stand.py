"""A gateway of its own under a load, what it takes, and a client beside the load that is well-behaved.

Used by the scripts beside it, which run on Linux alone, since they read /proc.
"""
import asyncio
import glob
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

# Bytes of the service's answer to /large: more than kernels take for a client that does not read.
LARGE = b"x" * (8 << 20)

CONFIG = """
[server]
listen = ["127.0.0.1:%(tls)d", "http://127.0.0.1:%(plain)d"]
%(server)s
[admin]
listen = "127.0.0.1:%(admin)d"
[store]
url = "embedded:gateway.db"
[api_keys]
max_per_user = 10000
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
[[routes]]
path = "/"
upstream = "service"
[[routes]]
path = "/open"
upstream = "service"
public = true
# Another service, so that the well-behaved client does not wait for what the flood does to the first one.
[upstreams.other]
servers = ["http://127.0.0.1:%(other)d"]
[[routes]]
path = "/other"
upstream = "other"
public = true
%(more)s
"""


def free_ports(count):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


class Service(asyncio.Protocol):
    """Answers each request, once it is whole, with two bytes, /large with many, and /never not at all."""

    def connection_made(self, transport):
        self.transport, self.held, self.left, self.target = transport, b"", 0, None

    def data_received(self, data):
        self.held += data
        while True:
            skipped = min(self.left, len(self.held))
            self.held, self.left = self.held[skipped:], self.left - skipped
            if self.left:
                return
            if self.target is not None:
                self.answer(self.target)
                self.target = None
            if b"\r\n\r\n" not in self.held:
                return
            head, self.held = self.held.split(b"\r\n\r\n", 1)
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self.left = int(line[15:])
            self.target = head.split(b" ")[1]

    def answer(self, target):
        if b"never" not in target:
            body = LARGE if b"large" in target else b"ok"
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def serve(port):
    async def run():
        server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()
    asyncio.run(run())


def yields(pid=0):
    """From now on it runs only while nobody else wants its core."""
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


class Server:
    """A proxy that runs in a folder of its own, before two services: one for a load, and one for who is beside it."""

    def __init__(self, name, argv, config, values, is_ready, wants_services=True, core=None):
        """`argv` and `config` are given the `values`, the folder and the ports; with a `core` it runs on that one alone."""
        self.folder = tempfile.mkdtemp(prefix=name + "-")
        self.tls, self.plain, admin, *services = free_ports(5)
        self.admin, self.service = ("127.0.0.1", admin), services[0]
        wanted = services if wants_services else []
        self.services = [multiprocessing.Process(target=serve, args=(port,), daemon=True) for port in wanted]
        for service in self.services:
            service.start()
        values = dict(values, folder=self.folder, tls=self.tls, plain=self.plain, admin=admin, service=services[0], other=services[1])
        with open(self.folder + "/config", "w") as file:
            file.write(config % values)
        self.log = self.folder + "/log"
        with open(self.log, "w") as log:
            pin = ["taskset", "-c", str(core)] if core is not None else []
            self.process = subprocess.Popen(pin + [word % values for word in argv], stdout=log, stderr=log, cwd=self.folder)
        self.pid = self.process.pid
        deadline = time.monotonic() + 30
        while not is_ready(self):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("%s did not start: see %s" % (name, self.log))
            time.sleep(0.05)

    def end(self):
        """Ends it in peace; answers its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Leaves no process behind, and no file but where something was wrong."""
        self.process.kill()
        for service in self.services:
            service.terminate()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def metrics(self):
        with socket.create_connection(self.admin, 10) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b""
            while data := peer.recv(1 << 16):
                text += data
        return text.decode()

    def memory(self, kind="VmRSS"):
        """KiB; VmHWM is the peak since `begin_peak`."""
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith(kind + ":"))

    def begin_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as clear:
            clear.write("5")

    def cpu(self):
        """Seconds so far."""
        with open("/proc/%d/stat" % self.pid) as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.pid))

    def files(self):
        """Everything it wrote that others may read: its log, and what stands in its folder."""
        return glob.glob(self.folder + "/**", recursive=True)

    def until_quiet(self, patience):
        """Seconds until no client's connection is open; nothing when some stay."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience:
            if self.clients() == 0:
                return time.monotonic() - begin
            time.sleep(0.1)
        return None


class Gateway(Server):
    """A gateway with one worker a core that it may run on."""

    def __init__(self, binary, server="", more="", config=CONFIG, core=None):
        """With another `config` nobody serves at `service`."""
        argv = [os.path.abspath(binary), "--config", "%(folder)s/config", "serve"]
        super().__init__("gateway", argv, config, dict(server=server, more=more), self.is_ready, config is CONFIG, core)

    @staticmethod
    def is_ready(started):
        return os.path.exists(started.folder + "/admin.sock")

    def clients(self):
        """How many connections are open."""
        return self.metric("dariet_connections_open")

    def metric(self, name):
        lines = (line.split() for line in self.metrics().splitlines())
        return sum(float(words[1]) for words in lines if len(words) == 2 and words[0].split("{")[0] == name)


def trust(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


def plain(port, narrow=False):
    peer = socket.socket()
    if narrow:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(20)
    peer.connect(("127.0.0.1", port))
    return peer


def tls(port, alpn="http/1.1", narrow=False):
    return trust(alpn).wrap_socket(plain(port, narrow))


def answer(peer):
    """The status of an answer with a length, and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(1 << 16)
        if not more:
            raise ConnectionError("no answer")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0][15:]) if lengths else 0
    while len(body) < length:
        more = peer.recv(1 << 16)
        if not more:
            raise ConnectionError("half an answer")
        body += more
    return int(head.split()[1]), body


EVERY = 2


def neighbour(port, seconds):
    """Asks over one connection every two milliseconds; the milliseconds of each, or -1.

    Whoever else would have asked during a long wait would have waited for the rest of it, and is counted too.
    """
    times, peer = [], None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        try:
            if peer is None:
                peer = tls(port)
            peer.sendall(b"GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, _ = answer(peer)
            took = (time.perf_counter() - begin) * 1000
            times += [took - missed * EVERY for missed in range(int(took / EVERY) + 1)] if status == 200 else [-1]
        except OSError:
            peer = None
            times.append(-1)
        time.sleep(max(0, EVERY / 1000 - (time.perf_counter() - begin)))
    return times


def share(times, part):
    """The time below which this part of all lies."""
    good = sorted(one for one in times if one >= 0)
    return good[min(len(good) - 1, int(len(good) * part))] if good else float("nan")


# HTTP/2, frame by frame.
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(method, path):
    fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in fields)


def http2(port, settings=b"", narrow=False):
    peer = tls(port, "h2", narrow)
    peer.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return peer
