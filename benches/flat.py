#!/usr/bin/env python3
"""Does a request cost the same whatever there is of everything else?

    flat.py GATEWAY [--axes workers,connections,keys,routes,store] [--rounds 3] [--seconds 4] [--keep FILE] [--svg FILE]

Starts GATEWAY (the binary) for each case of each axis: one and two workers; 100, 1,000 and 10,000 connections that ask 5,000 times a
second together; one, 1,000 and 100,000 users whose keys come in turn, each seen before; 1, 10 and 1,000 routes; the embedded store and
Redis. Told is CPU a request of the gateway and its ratio to the first case of its axis in the same round, in which they take turns.
Prints the table as Markdown, and draws it (docs/flat.svg is made so). With --keep, axes that were measured before are kept in FILE,
so that they can be measured one by one. Needs nginx, wrk, h2load, openssl, and redis-server for its axis. No Python packages.
"""
import argparse
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import time
import uuid

import load

RATE = 5000
CONFIG = """
[server]
listen = ["127.0.0.1:%(tls)d"]
workers = %(workers)d
max_connections = 20000
max_connections_per_address = 20000
handshake_timeout = "60s"
[server.tls]
certificate = "%(certificate)s"
private_key = "%(key)s"
[admin]
listen = "127.0.0.1:%(admin)d"
socket = "%(folder)s/admin.sock"
[store]
url = "%(store)s"
[sessions]
issuer = "https://localhost"
[[sessions.signing_keys]]
file = "signing-key.pem"
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
# Clients that all begin in the same moment wait for each other, rather than take a descriptor each on both sides.
max_connections = 500
max_waiting = 20000
waiting_timeout = "60s"
"""
ROUTE = '[[routes]]\npath = "/r%d"\nupstream = "service"\n'
# wrk takes one key after the other; requests are written once, before the load begins.
SCRIPT = """
local requests, at = {}, 0
function init()
    for key in io.lines("%(keys)s") do
        requests[#requests + 1] = wrk.format(nil, "%(path)s", {Authorization = "Bearer " .. key})
    end
end
function request()
    at = at %% #requests + 1
    return requests[at]
end
"""


class Case:
    """One gateway that stays prepared in its folder between rounds."""

    def __init__(self, name, workers=1, cores=None, connections=100, paced=False, keys=1, routes=1, redis=False):
        self.name, self.workers, self.connections, self.paced = name, workers, connections, paced
        self.keys, self.routes, self.redis = keys, routes, redis
        self.cores, self.load_cores = (cores, cores) if cores else (load.ONE, load.REST)

    def prepare(self, bench, binary):
        self.binary, self.folder, self.tls, self.admin = binary, bench.sub("gateway"), load.free_port(), load.free_port()
        store = "embedded:gateway.db"
        if self.redis:
            port = load.free_port()
            argv = [load.needed("redis-server"), "--port", str(port), "--save", "", "--appendonly", "yes", "--dir", self.folder]
            bench.others.append(load.Server(argv, self.folder, load.REST, lambda: load.listens(port)))
            store = "redis://127.0.0.1:%d" % port
        self.config = self.folder + "/gateway.toml"
        with open(self.config, "w") as config:
            config.write(CONFIG % dict(tls=self.tls, workers=self.workers, certificate=bench.certificate, key=bench.key, admin=self.admin,
                                       folder=self.folder, store=store, service=bench.port))
            config.writelines(ROUTE % number for number in range(self.routes))
        self.path = "/r%d/small" % (self.routes // 2)
        self.run("signing-key", "create", self.folder + "/signing-key.pem")
        export = self.folder + "/export"
        keys = write_export(export, self.keys)
        self.run("store", "import", export)
        self.first = keys[0]
        with open(self.folder + "/keys", "w") as file:
            file.writelines(key + "\n" for key in keys)
        with open(self.folder + "/keys.lua", "w") as file:
            file.write(SCRIPT % dict(keys=self.folder + "/keys", path=self.path))

    def run(self, *words):
        done = subprocess.run([self.binary, "--config", self.config, *words], capture_output=True, text=True, cwd=self.folder)
        if done.returncode:
            sys.exit("%s: %s" % (" ".join(words), done.stderr))

    def load(self):
        """Starts the load; it goes on until it is ended."""
        if self.paced:
            argv = [load.needed("h2load"), "--h1", "-t1", "-c%d" % self.connections, "--rps=%g" % (RATE / self.connections), "-D600",
                    "-H", "Authorization: Bearer " + self.first, "https://localhost:%d%s" % (self.tls, self.path)]
        else:
            argv = [load.needed("wrk"), "-t1", "-c%d" % self.connections, "-d600s", "-s", self.folder + "/keys.lua",
                    "https://localhost:%d" % self.tls]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                preexec_fn=lambda: os.sched_setaffinity(0, self.load_cores))

    def measured(self, seconds):
        """Microseconds of CPU a request."""
        argv, ready = [self.binary, "--config", self.config, "serve"], self.folder + "/admin.sock"
        if os.path.exists(ready):
            os.remove(ready)
        server = load.Server(argv, self.folder, self.cores, lambda: os.path.exists(ready))
        try:
            tool = self.load()
            try:
                self.warm_up(tool)
                answered, cpu = self.metric("dariet_requests_total"), server.cpu()
                time.sleep(seconds)
                cpu, answered = server.cpu() - cpu, self.metric("dariet_requests_total") - answered
            finally:
                tool.kill()
                tool.wait()
            refused = self.metric("dariet_refusals_total")
            if refused or answered < seconds:
                sys.exit("%s: %d answered, %d refused" % (self.name, answered, refused))
            return 1e6 * cpu / answered
        finally:
            server.end()

    def warm_up(self, tool):
        """Until all connections are open, and every key was seen."""
        deadline = time.monotonic() + 60
        while self.metric("dariet_connections_open") < self.connections or self.metric("dariet_requests_total") < 1.1 * self.keys:
            if tool.poll() is not None or time.monotonic() > deadline:
                sys.exit("%s: the load did not begin" % self.name)
            time.sleep(0.2)
        time.sleep(1)

    def metric(self, name):
        with socket.create_connection(("127.0.0.1", self.admin), 10) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: peer.recv(1 << 16), b""))
        words = (line.split() for line in text.decode().splitlines())
        return sum(float(each[1]) for each in words if len(each) == 2 and each[0].split("{")[0] == name)


def write_export(path, count):
    """An export of so many users with one key each; answers the keys."""
    chance, keys = random.Random(1), []
    made = "2026-01-01T00:00:00.000Z"
    with open(path, "w") as file:
        line = lambda value: file.write(json.dumps(value) + "\n")
        line({"export": {"format": 1, "from": "flat.py", "made": made}})
        for number in range(count):
            secret = chance.randbytes(20)
            key = "dk_" + (secret + hashlib.sha256(secret).digest()[:4]).hex()
            keys.append(key)
            user = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            email = "user%d@example.com" % number
            line({"user": {"id": user, "email": {"typed": email, "normal": email}, "name": "User", "role": "viewer" if number else "admin",
                           "is_active": True, "created_at": made, "password": "!", "epoch": 0, "version": 1}})
            line({"key": {"id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "user": user, "name": "k",
                          "shown_prefix": key[:11], "digest": hashlib.sha256(key.encode()).hexdigest(), "created_at": made}})
        line({"end": {"items": 2 * count}})
    return keys


def axes():
    every = set(load.CORES)
    return {
        "workers": [Case("1 worker", cores=every), Case("2 workers", workers=2, cores=every)],
        "connections": [Case("{:,} connections".format(n), connections=n, paced=True) for n in (100, 1000, 10000)],
        "keys": [Case("1 user and key", keys=1)] + [Case("{:,} users and keys".format(n), keys=n) for n in (1000, 100000)],
        "routes": [Case("1 route")] + [Case("{:,} routes".format(n), routes=n) for n in (10, 1000)],
        "store": [Case("embedded store", keys=1000), Case("Redis", keys=1000, redis=True)],
    }


def measure(bench, binary, cases, rounds, seconds):
    for case in cases:
        case.prepare(bench, binary)
    taken = [[case.measured(seconds) for case in cases] for _ in range(rounds)]
    told = []
    for index, case in enumerate(cases):
        cpu = load.middle(each[index] for each in taken)
        ratio = load.middle(each[index] / each[0] for each in taken)
        told.append({"case": case.name, "cpu": cpu, "ratio": ratio})
    return told


def table(found):
    print("| | CPU a request | to the first |\n| --- | --- | --- |")
    for cases in found.values():
        for each in cases:
            print("| %s | %.1f µs (%.1f–%.1f) | %.2f (%.2f–%.2f) |" % (each["case"], *each["cpu"], *each["ratio"]))


def drawn(found):
    """The ratios as bars, one axis beside the other, with the band of 10 %."""
    wide, high, left, top, gap = 28, 220, 46, 46, 26
    y = lambda ratio: top + high * (1 - min(ratio, 1.5) / 1.5)
    parts, at = [], left + gap / 2
    for axis, cases in found.items():
        for each in cases:
            ratio, low, upper = each["ratio"]
            middle = at + wide / 2
            parts.append('<rect x="%.0f" y="%.1f" width="%d" height="%.1f" fill="#4a7ab5"/>' % (at, y(ratio), wide, y(0) - y(ratio)))
            parts.append('<path d="M%.1f %.1fV%.1f" stroke="#222"/>' % (middle, y(low), y(upper)))
            parts.append('<text x="%.1f" y="%.1f" text-anchor="middle">%.2f</text>' % (middle, y(upper) - 4, ratio))
            parts.append('<text transform="translate(%.1f %.1f) rotate(40)">%s</text>' % (middle - 3, y(0) + 14, each["case"]))
            at += wide + 8
        at += gap
    width, height = at + 70, top + high + 120
    band = '<rect x="%d" y="%.1f" width="%.0f" height="%.1f" fill="#dce8d4"/>' % (left, y(1.1), at - left, y(0.9) - y(1.1))
    lines = "".join('<path d="M%d %.1fH%.0f" stroke="#999"/><text x="%d" y="%.1f" text-anchor="end">%.1f</text>' % (
        left, y(v), at, left - 6, y(v) + 4, v) for v in (0, 0.5, 1, 1.5))
    title = '<text x="%d" y="22" font-size="14">CPU a request, to the first case of its kind (green: within 10 %%)</text>' % left
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="sans-serif" font-size="11">'
            '<rect width="100%%" height="100%%" fill="white"/>%s\n</svg>\n' % (width, height, "\n".join([band, lines, title, *parts])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway")
    parser.add_argument("--axes", default=",".join(axes()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--keep")
    parser.add_argument("--svg")
    asked = parser.parse_args()
    found = {}
    if asked.keep and os.path.exists(asked.keep):
        with open(asked.keep) as file:
            found = json.load(file)
    for axis in asked.axes.split(",") if asked.axes else ():
        with load.Bench("flat-") as bench:
            found[axis] = measure(bench, os.path.abspath(asked.gateway), axes()[axis], asked.rounds, asked.seconds)
        if asked.keep:
            with open(asked.keep, "w") as file:
                json.dump(found, file)
    found = {axis: found[axis] for axis in axes() if axis in found}
    table(found)
    if asked.svg:
        with open(asked.svg, "w") as file:
            file.write(drawn(found))


if __name__ == "__main__":
    main()
