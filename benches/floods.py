#!/usr/bin/env python3
"""What do floods and slow clients take, and what do others notice?

    floods.py GATEWAY [SECONDS [FLOOD…]]

Puts each flood on GATEWAY (the binary), and on nginx where it is there and can be flooded so, each with its default bounds but
for shorter waits. The flooded server has a core of its own. On the other one are two services, one of them for the flood's
requests; a client who asks five hundred times a second over a kept connection; and the flood, which runs only while nobody else
wants that core. "busy" asks nothing and only burns that core: what it changes is the measurement's own.

For each: the most memory that the flood added, CPU (100 % is the core), descriptors, the other client's p50 and p99 against their
quiet values, how many of its requests failed, and how long after the flood the last of its connections was freed.
"""
import json
import multiprocessing
import os
import random
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import load
import stand
from flooded_nginx import Nginx
from seed import Operator, call
from stand import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, block, frame

# Waits are shortened so that the end of each flood is seen; each is the same bound as by default.
WAITS = """
handshake_timeout = "2s"
head_timeout = "2s"
idle_timeout = "3s"
body_timeout = "3s"
write_timeout = "3s"
"""
PASSWORD = "a long enough pass phrase"


def again(begin):
    """Begins over and over: what ends a connection does not end the flood."""
    def flood(port, plain, keys):
        while True:
            try:
                begin(port)
            except (OSError, ssl.SSLError):
                pass
    return flood


def until_closed(peer, data):
    while True:
        peer.sendall(data)


def rapid_reset(port):
    peer = stand.http2(port)
    for first in range(1, 1 << 20, 400):
        streams = range(first, first + 400, 2)
        get = block("GET", "/open/r")
        cancel = (8).to_bytes(4, "big")
        peer.sendall(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, one, get) + frame(RST_STREAM, 0, one, cancel) for one in streams))


def reset_in_flight(port):
    peer = stand.http2(port)
    get = block("GET", "/open/never")
    for first in range(1, 1 << 20, 100):
        streams = range(first, first + 100, 2)
        peer.sendall(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, one, get) for one in streams))
        time.sleep(0.02)
        peer.sendall(b"".join(frame(RST_STREAM, 0, one, (8).to_bytes(4, "big")) for one in streams))


def continuation(port):
    peer = stand.http2(port)
    peer.sendall(frame(HEADERS, 0, 1, block("GET", "/open")))
    until_closed(peer, frame(CONTINUATION, 0, 1, b"\x90" * 16384))


def empty_data(port):
    peer = stand.http2(port)
    peer.sendall(frame(HEADERS, END_HEADERS, 1, block("POST", "/open")))
    until_closed(peer, frame(DATA, 0, 1) * 1000)


def pings(port):
    until_closed(stand.http2(port, narrow=True), frame(PING, 0, 0, b"12345678") * 1000)


def settings(port):
    until_closed(stand.http2(port, narrow=True), frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64") * 1000)


def zero_window(port):
    peer = stand.http2(port, b"\0\4\0\0\0\0")
    large = block("GET", "/open/large")
    peer.sendall(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, one, large) for one in range(1, 200, 2)))
    while peer.recv(1 << 16):
        pass


def crowd(count, begin):
    """So many at once, each begun again when it has ended; none is read from but to see its end."""
    def flood(port, plain, keys):
        def one():
            while True:
                try:
                    peer = begin(port, plain)
                    peer.settimeout(60)
                    while peer.recv(4096):
                        pass
                except (OSError, ssl.SSLError):
                    time.sleep(0.01)
        threading.stack_size(128 * 1024)
        for _ in range(count):
            threading.Thread(target=one, daemon=True).start()
        time.sleep(3600)
    return flood


def said(data):
    def begin(port, plain):
        peer = stand.plain(plain)
        peer.sendall(data)
        return peer
    return begin


def deaf(port, plain):
    peer = stand.plain(plain, narrow=True)
    peer.sendall(b"GET /open/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(10)
    return peer


def half_greeting(port, plain):
    peer = stand.plain(port)
    peer.sendall(b"\x16\3\1\x3f\xff\1\0\x3f\xfb")
    return peer


def log_ins(port, plain, keys):
    def one():
        while True:
            try:
                peer = stand.plain(plain)
                while True:
                    body = json.dumps({"email": "%d@example.com" % random.getrandbits(40), "password": "guess"}).encode()
                    peer.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                    stand.answer(peer)
            except OSError:
                time.sleep(0.01)
    for _ in range(200):
        threading.Thread(target=one, daemon=True).start()
    time.sleep(3600)


def with_keys(key_of):
    def flood(port, plain, keys):
        at = 0
        while True:
            peer = stand.plain(plain)
            while True:
                key, at = key_of(keys, at), at + 1
                try:
                    peer.sendall(b"GET /k HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n" % key)
                    stand.answer(peer)
                except OSError:
                    break
    return flood


def busy(port, plain, keys):
    while True:
        pass


def junk(keys, at):
    return b"dk_" + b"%048x" % random.getrandbits(190)


def good(keys, at):
    return keys[at % len(keys)]


HEAD = b"GET /open HTTP/1.1\r\nHost: localhost\r\n"
# Floods, and what ends each or keeps it small.
FLOODS = {
    "busy": (busy, "nothing is asked"),
    "rapid reset": (again(rapid_reset), "max_pending_resets"),
    "reset in flight": (again(reset_in_flight), "max_resets"),
    "CONTINUATION": (again(continuation), "max_head"),
    "empty DATA": (again(empty_data), "h2's data budget"),
    "PING, unread": (again(pings), "write_timeout"),
    "SETTINGS, unread": (again(settings), "write_timeout"),
    "zero window": (again(zero_window), "write_timeout"),
    "1000 slow heads": (crowd(1000, said(HEAD + b"X-Slow")), "head_timeout"),
    "1000 slow bodies": (crowd(1000, said(b"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")), "body_timeout"),
    "200 slow readers": (crowd(200, deaf), "write_timeout"),
    "1000 idle": (crowd(1000, said(HEAD + b"\r\n")), "idle_timeout"),
    "1000 half TLS": (crowd(1000, half_greeting), "handshake_timeout"),
    "log-ins": (log_ins, "log-ins that wait"),
    "junk keys": (with_keys(junk), "none is remembered"),
    "good keys": (with_keys(good), "credentials remembered"),
}
# nginx knows no log-ins and no keys.
OURS_ALONE = {"log-ins", "junk keys", "good keys"}
BRAKES_OFF = "[login]\nper_address = \"1000000 per 1m\""
KEYS = 3200


def operator_keys(gateway):
    user = {"email": "a@example.com", "name": "A", "password": PASSWORD, "role": "admin"}
    operator = Operator(gateway.folder + "/admin.sock")
    owner = call(operator, "POST", "/api/auth/users", user)["id"]

    def make(count):
        operator = Operator(gateway.folder + "/admin.sock")
        made = (call(operator, "POST", "/api/api-keys?user_id=" + owner, {"name": "k"}) for _ in range(count))
        return [key["key"].encode() for key in made]
    # Changes that come together are written together.
    with ThreadPoolExecutor(32) as makers:
        return sum(makers.map(make, [KEYS // 32] * 32), [])


def stranger(flood, server, keys):
    # Elsewhere it would have a machine of its own.
    stand.yields()
    flood(server.tls, server.plain, keys)


def run(name, server, seconds):
    """Floods a server, and prints what came of it."""
    flood, bound = FLOODS[name]
    of_gateway = isinstance(server, stand.Gateway)
    keys = operator_keys(server) if name == "good keys" else []
    # The service of the flood's requests.
    stand.yields(server.services[0].pid)
    stand.neighbour(server.tls, 1)
    quiet = stand.neighbour(server.tls, seconds)
    server.until_quiet(10)
    held, descriptors = server.memory(), server.descriptors()
    server.begin_peak()
    cpu, begin = server.cpu(), time.monotonic()
    client = multiprocessing.Process(target=stranger, args=(flood, server, keys), daemon=True)
    client.start()
    time.sleep(0.3)
    beside = stand.neighbour(server.tls, seconds)
    used = (server.cpu() - cpu) / (time.monotonic() - begin) * 100
    most, peak = server.descriptors() - descriptors, server.memory("VmHWM") - held
    client.kill()
    client.join()
    freed = server.until_quiet(20)
    left = server.descriptors() - descriptors
    failed = sum(one < 0 for one in beside)
    print("| %s | %s | %.1f MiB | %.0f %% | %d, then %d | %.1f / %.1f ms | %.1f / %.1f ms | %d of %d | %s |" % (
        name if of_gateway else "", "`%s`" % bound if of_gateway else "nginx", peak / 1024, used, most, left,
        stand.share(quiet, 0.5), stand.share(quiet, 0.99), stand.share(beside, 0.5), stand.share(beside, 0.99),
        failed, len(beside), "never" if freed is None else "%.1f s" % freed), flush=True)
    if server.end() != 0:
        sys.exit("the server did not end well: see " + server.log)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    server_core, *others = sorted(os.sched_getaffinity(0))
    # With one core alone everything shares it.
    os.sched_setaffinity(0, others or [server_core])
    nginx = load.program("nginx")
    print("| flood | bound | memory | CPU | descriptors | quiet p50 / p99 | beside p50 / p99 | failed | freed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in sys.argv[3:] or FLOODS:
        with stand.Gateway(sys.argv[1], WAITS, BRAKES_OFF, core=server_core) as gateway:
            run(name, gateway, seconds)
        if nginx and name not in OURS_ALONE:
            with Nginx(nginx, core=server_core) as other:
                run(name, other, seconds)


if __name__ == "__main__":
    main()
