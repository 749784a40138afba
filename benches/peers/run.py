#!/usr/bin/env python3
"""Compares the gateway, which checks a credential, with plain nginx, HAProxy and Envoy, which check nothing.

    peers/run.py GATEWAY [--rounds 3] [--seconds 4] [--scenarios tls-h1,steady,tls-h2,handshake] [--path FOLDER]

Each peer runs alone on one core with one worker and forwards to a service on the other core, where the load comes from too. Told
is CPU a request of the peer's whole process tree, from /proc: requests a second would say as much about the load generator. Peers
take turns in each round, and a ratio to nginx is taken within its round, so that a machine that is slower for a while is so for
all. Prints the tables as Markdown. Needs nginx, wrk, h2load and openssl; HAProxy and Envoy where they are found on PATH or in
FOLDER. No Python packages.
"""
import argparse
import os
import ssl
import http.client
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import load
from seed import Operator, PASSWORD, call

WARM_UP = 1


class Peer:
    """A proxy that checks nothing. `credential` is what the load carries."""
    credential = None

    def __init__(self, name, binary, template, argv):
        self.name, self.binary, self.template, self.argv = name, binary, template, argv

    def start(self, bench):
        self.port, self.folder = load.free_port(), bench.sub(self.name.split()[0])
        config = bench.render(os.path.join(HERE, self.template), self.folder, TLS_PORT=self.port)
        argv = [word.format(config=config, folder=self.folder) for word in self.argv]
        return load.Server([self.binary, *argv], self.folder, load.ONE, self.is_ready)

    def is_ready(self):
        return load.listens(self.port)

    def prepare(self):
        """Makes sure that it forwards."""
        if self.status(self.headers()) != 200:
            sys.exit("%s does not answer as it should: see %s" % (self.name, self.folder))

    def headers(self):
        return ["Authorization: Bearer " + self.credential] if self.credential else []

    def status(self, headers):
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        client = http.client.HTTPSConnection("localhost", self.port, context=trust, timeout=10)
        client.request("GET", "/small", headers=dict(header.split(": ", 1) for header in headers))
        answer = client.getresponse()
        answer.read()
        client.close()
        return answer.status


class Gateway(Peer):
    """The gateway, asked with a session's token or an API key."""

    def __init__(self, kind, binary):
        super().__init__("gateway, " + kind, binary, "gateway.toml", ["--config", "{config}", "serve"])
        self.kind = kind

    def is_ready(self):
        return os.path.exists(self.folder + "/admin.sock")

    def prepare(self):
        operator = Operator(self.folder + "/admin.sock")
        user = {"email": "a@example.com", "name": "A", "password": PASSWORD, "role": "viewer"}
        owner = call(operator, "POST", "/api/auth/users", user)["id"]
        if self.kind == "API key":
            self.credential = call(operator, "POST", "/api/api-keys?user_id=" + owner, {"name": "k"})["key"]
        else:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            client = http.client.HTTPSConnection("localhost", self.port, context=trust)
            login = {"email": user["email"], "password": PASSWORD}
            self.credential = call(client, "POST", "/api/auth/login", login)["access_token"]
        if self.status([]) != 401:
            sys.exit("the gateway lets in who has no credential")
        super().prepare()


def envoys_binary(found):
    """The wheel's script only starts the program that lies beside it; that is what is measured."""
    if found and "/bin/" in found:
        root = os.path.dirname(os.path.dirname(found))
        for folder, _, names in os.walk(os.path.join(root, "lib")):
            if folder.endswith("envoy/_bin") and "envoy" in names:
                return os.path.join(folder, "envoy")
    return found


def peers(gateway, folders):
    gateway = os.path.abspath(gateway)
    envoy = envoys_binary(load.program("envoy", folders))
    every = [
        Peer("nginx", load.needed("nginx"), "nginx.conf", ["-p", "{folder}", "-e", "{folder}/error.log", "-c", "{config}"]),
        Peer("HAProxy", load.program("haproxy", folders), "haproxy.cfg", ["-db", "-f", "{config}"]),
        Peer("Envoy", envoy, "envoy.yaml", ["-c", "{config}", "--concurrency", "1", "--disable-hot-restart", "-l", "error"]),
        Gateway("session", gateway),
        Gateway("API key", gateway),
    ]
    for peer in every:
        if not peer.binary:
            print("%s is left out: it is not installed" % peer.name, file=sys.stderr)
    return [peer for peer in every if peer.binary]


def handshake(port, seconds, headers):
    """A connection for each request; wrk keeps no session, so each has its full handshake."""
    return load.wrk(port, seconds, [*headers, "Connection: close"], connections=16)


def steady(port, seconds, headers):
    """As often for everybody, which leaves each of them time to rest: who is busy all the time wakes less often."""
    connections = 64
    rate = "--rps=%d" % (STEADY_RATE // connections)
    return load.h2load(port, seconds, headers, connections, streams=1, more=("--h1", rate))


# Requests a second.
STEADY_RATE = 20_000

SCENARIOS = {
    "tls-h1": ("TLS 1.3, HTTP/1.1, 64 connections", load.wrk),
    "steady": ("TLS 1.3, HTTP/1.1, 64 connections, 20,000 requests a second", steady),
    "tls-h2": ("TLS 1.3, HTTP/2, 8 connections of 16 streams", load.h2load),
    "handshake": ("TLS 1.3, a connection for each request", handshake),
}


def measured(bench, peer, ask, seconds):
    """Microseconds of CPU a request, and the share of the core that was used."""
    server = peer.start(bench)
    try:
        peer.prepare()
        ask(peer.port, WARM_UP, peer.headers())
        cpu, begin = server.cpu(), time.monotonic()
        count = ask(peer.port, seconds, peer.headers())
        cpu, took = server.cpu() - cpu, time.monotonic() - begin
        return 1e6 * cpu / count, cpu / took
    finally:
        server.end()


def table(name, rounds):
    print("\n%s: %s\n\n| | CPU a request | to nginx | core used |\n| --- | --- | --- | --- |" % (name, SCENARIOS[name][0]))
    base = [each["nginx"][0] for each in rounds]
    for peer in rounds[0]:
        cpu = load.middle(each[peer][0] for each in rounds)
        ratio = load.middle(each[peer][0] / nginx for each, nginx in zip(rounds, base))
        used = load.middle(each[peer][1] for each in rounds)[0]
        print("| %s | %.1f µs (%.1f–%.1f) | %.2f (%.2f–%.2f) | %.0f %% |" % (peer, *cpu, *ratio, 100 * used), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--path", default="")
    asked = parser.parse_args()
    found = peers(asked.gateway, asked.path)
    with load.Bench("peers-") as bench:
        for name in asked.scenarios.split(","):
            ask = SCENARIOS[name][1]
            rounds = [{peer.name: measured(bench, peer, ask, asked.seconds) for peer in found} for _ in range(asked.rounds)]
            table(name, rounds)


if __name__ == "__main__":
    main()
