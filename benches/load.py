"""Servers on a core of their own, load from the other, and what the servers take for a request.

Used by peers/run.py and flat.py; Linux alone, since it reads /proc. Times of processes count in hundredths of a second, so a
measurement takes some seconds. The load generators are wrk and h2load.
"""
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CORES = sorted(os.sched_getaffinity(0))
# With one core alone everything shares it.
ONE, REST = ({CORES[0]}, set(CORES[1:])) if len(CORES) > 1 else (set(CORES), set(CORES))
TICK = os.sysconf("SC_CLK_TCK")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
BODY = '{"ok": true, "pad": "%s"}' % ("x" * 1000)
SERVICE = """
daemon off;
pid %(folder)s/service.pid;
error_log %(folder)s/service.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
    access_log off;
    client_body_temp_path %(folder)s/service-tmp;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    server {
        listen 127.0.0.1:%(port)d backlog=4096;
        default_type application/json;
        location / { return 200 '%(body)s'; }
    }
}
"""


class Missing(Exception):
    """A program is not installed."""


def program(name, folders=""):
    return shutil.which(name, path=folders + ":" + PATH)


def needed(name):
    return program(name) or sys.exit("%s is needed, and not installed" % name)


def free_port():
    """Below the range that connections take their own ports from: no client must have it meanwhile."""
    for port in range(free_port.last + 1, 32000):
        free_port.last = port
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("no port is free")


free_port.last = 26000


class Server:
    """A started program, on the cores it was given."""

    def __init__(self, argv, folder, cores, ready):
        # A file, as in earnest: to write access lines is a part of what a request costs.
        self.log = open(folder + "/log", "a")
        self.process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        deadline = time.monotonic() + 30
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                sys.exit("%s did not start: see %s" % (argv[0], self.log.name))
            time.sleep(0.02)

    def cpu(self):
        """Seconds that it and its children have taken."""
        ticks = 0
        for pid in family(self.process.pid):
            try:
                with open("/proc/%d/stat" % pid) as stat:
                    words = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += sum(int(word) for word in words[11:15])
        return ticks / TICK

    def end(self):
        """At once, and all of its session: some start children."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()


def family(pid):
    """The process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def make_certificate(folder):
    """Makes one for localhost; answers the paths of it and of its key."""
    certificate, key = folder + "/tls.crt", folder + "/tls.key"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


class Bench:
    """A folder with a certificate, and a service that answers everything with a kilobyte."""

    def __init__(self, prefix):
        self.folder, self.others = tempfile.mkdtemp(prefix=prefix), []
        self.certificate, self.key = make_certificate(self.folder)
        with open(self.folder + "/both.pem", "w") as both:
            both.write(open(self.certificate).read() + open(self.key).read())
        self.port = free_port()
        config = self.folder + "/service.conf"
        with open(config, "w") as file:
            file.write(SERVICE % dict(folder=self.folder, port=self.port, body=BODY))
        argv = [needed("nginx"), "-p", self.folder, "-e", self.folder + "/service.log", "-c", config]
        self.service = Server(argv, self.folder, REST, lambda: listens(self.port))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Leaves no process behind, and no file but where something was wrong."""
        for server in [self.service, *self.others]:
            server.end()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print("see " + self.folder, file=sys.stderr)

    def render(self, template, folder, **values):
        """Writes a template into a folder, with `@NAME@` replaced."""
        values = dict(CERTIFICATE=self.certificate, KEY=self.key, BOTH=self.folder + "/both.pem", SERVICE_PORT=self.port, DIR=folder,
                      **values)
        with open(template) as file:
            text = re.sub("@([A-Z_]+)@", lambda found: str(values[found.group(1)]), file.read())
        path = folder + "/" + os.path.basename(template)
        with open(path, "w") as file:
            file.write(text)
        return path

    def sub(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.folder)


def run_tool(argv, cores=frozenset(REST)):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    return done.stdout


def wrk(port, seconds, headers=(), connections=64, path="/small", more=()):
    """Requests answered in that time over HTTP/1.1 and TLS."""
    fields = [word for header in headers for word in ("-H", header)]
    url = "https://localhost:%d%s" % (port, path)
    said = run_tool([needed("wrk"), "-t1", "-c%d" % connections, "-d%ds" % seconds, *fields, *more, url])
    done = re.search(r"(\d+) requests in", said)
    # Reads that fail are connections which a server closes as it was asked to.
    if not done or int(done.group(1)) == 0 or "Non-2xx" in said or re.search(r"timeout [1-9]|connect [1-9]", said):
        sys.exit("wrk: " + said[-400:])
    return int(done.group(1))


def h2load(port, seconds, headers=(), connections=8, streams=16, more=()):
    """The same over HTTP/2."""
    fields = [word for header in headers for word in ("-H", header)]
    argv = [needed("h2load"), "-t1", "-c%d" % connections, "-m%d" % streams, "-D%d" % seconds, *fields, *more, "https://localhost:%d/small" % port]
    said = run_tool(argv)
    done = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
    if not done or int(done.group(1)) == 0 or done.group(2, 3, 4) != ("0", "0", "0"):
        sys.exit("h2load: " + said[-400:])
    return int(done.group(1))


def middle(values):
    values = list(values)
    return statistics.median(values), min(values), max(values)
