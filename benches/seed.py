#!/usr/bin/env python3
"""Makes credentials in a running gateway, and prints them as `Bearer …`, one a line.

    seed.py SOCKET TLS_PORT KIND COUNT

KIND is `apikey`, or anything else for session tokens. SOCKET is the gateway's admin socket.
"""
import http.client
import json
import socket
import ssl
import sys
import time

# How long a gateway may take to begin, in seconds.
PATIENCE = 10
PASSWORD = "a long enough pass phrase"


class Operator(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                return self.sock.connect(self.path)
            except (FileNotFoundError, ConnectionRefusedError):
                # The gateway has only just been started.
                self.sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def call(connection, method, path, body=None, headers=None):
    headers = dict(headers or {}, **{"Content-Type": "application/json"})
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        sys.exit("%s %s: %d %s" % (method, path, answer.status, text.decode()))
    return json.loads(text)


def main():
    path, port, kind, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    user = {"email": "bench@example.com", "name": "Bench", "password": PASSWORD, "role": "admin"}
    call(Operator(path), "POST", "/api/auth/users", user)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    client = http.client.HTTPSConnection("127.0.0.1", port, context=trust)
    login = {"email": user["email"], "password": PASSWORD}
    token = call(client, "POST", "/api/auth/login", login)["access_token"]
    bearer = {"Authorization": "Bearer " + token}
    for number in range(count):
        if kind == "apikey":
            made = call(client, "POST", "/api/api-keys", {"name": "bench %d" % number}, bearer)["key"]
        else:
            made = call(client, "POST", "/api/auth/login", login)["access_token"]
        print("Bearer " + made)


if __name__ == "__main__":
    main()
