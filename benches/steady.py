"""A gateway by a configuration of the caller's, and a load of so many GETs a second over kept connections.

Used by the scripts beside it.
"""
import http.client
import json
import subprocess
import threading
import time

CLIENTS = 20


def start_gateway(binary, folder):
    """Starts it by `folder`'s gateway.toml; answers its process and where it listens, by scheme."""
    access, log = open(folder + "/access", "wb"), open(folder + "/log", "wb")
    gateway = subprocess.Popen([binary, "--config", folder + "/gateway.toml", "serve"], stdout=access, stderr=log)
    while True:
        told = [json.loads(line) for line in open(folder + "/log") if line.endswith("}\n")]
        if any(line.get("message") == "serving" for line in told):
            break
        time.sleep(0.05)
    address = {line["scheme"]: line["address"] for line in told if line.get("message") == "listening"}
    return gateway, address


class Load:
    """`rate` GETs a second for `seconds`, from now on. `lost` has when each was sent that got no answer, or none of
    the server's, and what came instead; `times` how long each took."""

    def __init__(self, address, rate, seconds):
        self.address, self.every = address, CLIENTS / rate
        self.begin = time.monotonic() + 0.2
        self.end = self.begin + seconds
        self.lost, self.times = [], []
        dues = (self.begin + self.every * n / CLIENTS for n in range(CLIENTS))
        self.clients = [threading.Thread(target=self.ask, args=(due,)) for due in dues]
        for client in self.clients:
            client.start()

    def ask(self, due):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        while due < self.end:
            time.sleep(max(0, due - time.monotonic()))
            due += self.every
            sent = time.monotonic()
            try:
                connection.request("GET", "/x")
                answer = connection.getresponse()
                if (answer.status, answer.read()) != (200, b"ok"):
                    self.lost.append((sent, answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.lost.append((sent, repr(error)))
                connection.close()
            self.times.append(time.monotonic() - sent)

    def wait(self):
        for client in self.clients:
            client.join()
