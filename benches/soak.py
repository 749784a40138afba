#!/usr/bin/env python3
"""Does a gateway hold up under good and hostile clients together, and keep what it was told in confidence?

    soak.py GATEWAY SECONDS

Starts GATEWAY (the binary) and lets users log in, make and delete keys, change and reset passwords and ask a service,
while others flood it. After a quarter of the time, and at its end, it waits until nobody is connected: between the
two memory, descriptors and threads may not have grown. No request of the good clients may have gone wrong, nothing
may have panicked, and no password, token or key may stand in a log, a metric, the store or a mail. Fails otherwise.
"""
import base64
import glob
import http.client
import json
import multiprocessing
import os
import quopri
import random
import re
import ssl
import sys
import time
import uuid

import floods
import stand
from seed import Operator, call

MORE = """
[sessions]
issuer = "https://gateway.example.com"
[mail]
url = "file:mails/"
from = "Dariet <no-reply@example.com>"
[passwords]
memory = "1MiB"
iterations = 1
[login]
per_account_and_address = "1000000 per 1m"
per_address = "1000000 per 1m"
per_account = "1000000 per 1m"
forgot_per_address = "1000000 per 1m"
forgot_per_account = "1000000 per 1m"
"""
USERS = 4
# KiB that the allocator may keep and the store's own cache of 16 MiB; connections kept to the service.
MEMORY, DESCRIPTORS = (16 + 16) * 1024, 24


class User:
    """Does what users do, and tells every secret that it was given or made."""

    def __init__(self, gateway, email, password, told):
        self.gateway, self.email, self.password, self.told = gateway, email, password, told
        self.client = None

    def ask(self, method, path, wants, body=None, credential=None):
        """Asks until somebody has time; whatever else goes wrong is told."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers.update({"Authorization": "Bearer " + credential} if credential else {})
        for _ in range(200):
            self.client = self.client or http.client.HTTPSConnection(
                "127.0.0.1", self.gateway.tls, context=stand.trust("http/1.1"), timeout=30)
            try:
                self.client.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = self.client.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.client = None
                self.told.put(("broken", "%s %s: %r" % (method, path, error)))
                return {}
            if answer.status != 503:
                break
            # The queue of log-ins is full; that is what it is for.
            time.sleep(0.05)
        self.told.put(("asked", 1))
        if answer.status != wants:
            self.told.put(("broken", "%s %s: %d %s" % (method, path, answer.status, text[:200])))
        return json.loads(text) if text.startswith(b"{") else {}

    def secret(self, text):
        self.told.put(("secret", text))
        return text

    def log_in(self):
        body = {"email": self.email, "password": self.password}
        return self.secret(self.ask("POST", "/api/auth/login", 200, body).get("access_token", "none"))

    def live(self):
        token = self.log_in()
        for _ in range(20):
            self.ask("GET", "/s", 200, credential=token)
        made = self.ask("POST", "/api/api-keys", 201, {"name": "k"}, token)
        key = self.secret(made.get("key", "none"))
        for _ in range(20):
            self.ask("GET", "/k", 200, credential=key)
        self.ask("DELETE", "/api/api-keys/" + made.get("id", "none"), 204, credential=token)
        self.ask("GET", "/k", 401, credential=key)
        fresh = self.secret("changed " + uuid.uuid4().hex)
        body = {"current_password": self.password, "new_password": fresh}
        again = self.secret(self.ask("POST", "/api/auth/change-password", 200, body, token).get("access_token", "none"))
        self.password = fresh
        self.ask("GET", "/s", 401, credential=token)
        self.ask("POST", "/api/auth/logout", 204, credential=again)
        self.ask("GET", "/s", 401, credential=again)
        self.reset()

    def reset(self):
        self.ask("POST", "/api/auth/forgot-password", 200, {"email": self.email})
        token = self.secret(self.mailed())
        fresh = self.secret("reset " + uuid.uuid4().hex)
        self.ask("POST", "/api/auth/reset-password", 200, {"token": token, "new_password": fresh})
        self.password = fresh

    def mailed(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for name in glob.glob(self.gateway.folder + "/mails/*.eml"):
                try:
                    with open(name, "rb") as mail:
                        text = quopri.decodestring(mail.read()).decode(errors="replace")
                except FileNotFoundError:
                    # Its receiver has taken it meanwhile.
                    continue
                token = re.search(r"token=([A-Za-z0-9_-]+)", text)
                if self.email in text and token:
                    os.remove(name)
                    return token[1]
            time.sleep(0.02)
        self.told.put(("broken", "no mail to " + self.email))
        return "none"


def good(gateway, email, password, told, until):
    user = User(gateway, email, password, told)
    while time.monotonic() < until:
        user.live()
    told.put(("password", (email, user.password)))


# What hostile clients say besides the floods.
BYTES = [
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /open HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", b"\x16\3\1\0\5hello", b"\0" * 5000, b"GET /" + b"a" * 100000,
    b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET /open/%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /open/large HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /open/never HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
]
FLOODS = [floods.rapid_reset, floods.reset_in_flight, floods.continuation, floods.empty_data]


def hostile(gateway, until):
    while time.monotonic() < until:
        chosen = random.random()
        try:
            if chosen < 0.04:
                random.choice(FLOODS)(gateway.tls)
            elif chosen < 0.5:
                guess(gateway)
            else:
                peer = stand.plain(random.choice([gateway.plain, gateway.tls]))
                peer.settimeout(0.2)
                said = random.choice(BYTES)
                peer.sendall(said[:random.randrange(1, len(said) + 1)])
                peer.recv(100)
        except (OSError, ssl.SSLError):
            pass
        time.sleep(0.005)


def guess(gateway):
    peer = stand.plain(gateway.plain)
    body = json.dumps({"email": "%d@example.com" % random.randrange(100), "password": "a guess"}).encode()
    peer.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    stand.answer(peer)
    peer.sendall(b"GET /k HTTP/1.1\r\nHost: a\r\nX-API-Key: %s\r\n\r\n" % floods.junk([], 0))
    stand.answer(peer)


class Soak:
    def __init__(self, gateway):
        self.gateway, self.secrets, self.broken, self.asked = gateway, set(), [], 0
        operator = Operator(gateway.folder + "/admin.sock")
        self.users = {}
        for number in range(USERS):
            email, password = "user%d@example.com" % number, "first " + uuid.uuid4().hex
            user = {"email": email, "name": "U", "password": password, "role": "admin"}
            call(operator, "POST", "/api/auth/users", user)
            self.users[email] = password
            self.secrets.add(password)

    def run(self, seconds):
        """Both kinds of clients for so long; answers what is held when all have gone."""
        told = multiprocessing.Queue()
        until = time.monotonic() + seconds
        start = lambda target, *more: multiprocessing.Process(target=target, args=(self.gateway, *more, until), daemon=True)
        clients = [start(good, email, password, told) for email, password in self.users.items()]
        strangers = [start(hostile) for _ in range(3)]
        for client in clients + strangers:
            client.start()
        while any(client.is_alive() for client in clients) or not told.empty():
            self.take(told)
        for stranger in strangers:
            stranger.kill()
            stranger.join()
        if self.gateway.until_quiet(100) is None:
            self.broken.append("connections stay open")
        held = self.gateway.memory(), self.gateway.descriptors(), self.gateway.threads()
        print("%d requests, then held: %d KiB, %d descriptors, %d threads" % ((self.asked,) + held), flush=True)
        return held

    def take(self, told):
        try:
            kind, what = told.get(timeout=0.5)
        except Exception:
            return
        if kind == "secret" and what != "none":
            self.secrets.add(what)
        elif kind == "password":
            self.users[what[0]] = what[1]
        elif kind == "asked":
            self.asked += 1
        elif kind == "broken":
            self.broken.append(what)

    def found(self, metrics):
        """Secrets where they must not be."""
        with open(self.gateway.folder + "/signing-key.pem") as file:
            lines = file.read().splitlines()
        self.secrets.update(line for line in lines if line and "-----" not in line)
        forms = [form.encode() for form in self.secrets]
        forms += [base64.b64encode(form) for form in forms]
        with open(self.gateway.folder + "/metrics", "w") as file:
            file.write(metrics)
        # Mails that wait hold links, which their receiver reads and takes out of the folder.
        names = [name for name in self.gateway.files() if os.path.isfile(name) and not name.endswith("signing-key.pem")]
        return [name + " holds a secret: " + form for name in names for form in search(name, forms)]


def search(name, forms):
    """Those of `forms` whose last bytes stand in the file: tokens begin alike, and a part of one is too much."""
    ends = {form.rstrip(b"=")[-END:] for form in forms}
    runs = re.compile(rb"[A-Za-z0-9_+/=-]{%d,}" % END)
    found = set()
    # Line by line: a log may be larger than what there is of memory.
    with open(name, "rb") as file:
        for line in file:
            for run in runs.findall(line):
                found.update(run[at:at + END] for at in range(len(run) - END + 1) if run[at:at + END] in ends)
    return [end.decode() for end in found]


# Bytes of a secret that are looked for; no other word is the same by chance.
END = 20


def main():
    binary, seconds = sys.argv[1], float(sys.argv[2])
    with stand.Gateway(binary, floods.WAITS, MORE) as gateway:
        soaked(gateway, seconds)


def soaked(gateway, seconds):
    soak = Soak(gateway)
    before = soak.run(seconds / 4)
    after = soak.run(seconds * 3 / 4)
    metrics = gateway.metrics()
    status = gateway.end()
    wrong = soak.broken + soak.found(metrics)
    if status != 0:
        wrong.append("it ended with %d" % status)
    with open(gateway.log, errors="replace") as log:
        wrong += ["panic: " + line.strip() for line in log if "panic" in line]
    for what, old, new, room in zip(("KiB", "descriptors", "threads"), before, after, (MEMORY, DESCRIPTORS, 0)):
        if new > old + room:
            wrong.append("%s grew from %d to %d" % (what, old, new))
    print("%d requests of users, %d secrets searched for, %d wrong" % (soak.asked, len(soak.secrets), len(wrong)))
    for line in wrong[:40]:
        print("  " + line[:500])
    if wrong:
        sys.exit("see " + gateway.folder)


if __name__ == "__main__":
    main()
