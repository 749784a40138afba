#!/usr/bin/env python3
"""What does a server that is killed under load cost, and for how long?

    kill_server.py GATEWAY [RATE] [SECONDS]

Starts GATEWAY (the binary) before three servers, each a process, and makes RATE (1000) GETs a second over kept connections,
spread over SECONDS (6); after a third of them one server gets SIGKILL. Once as it comes (retries and ejection), once with
health checks alone (every 100 ms, two bad answers), and once with both. Says how many requests were lost (no answer, or none of the
server's), how many were sent again, and after how long the metrics say that the server is left alone.
"""
import http.client
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from steady import Load, start_gateway

SERVER = r"""
import asyncio, sys
class Serve(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.head = transport, b""
    def data_received(self, data):
        self.head += data
        while b"\r\n\r\n" in self.head:
            _, self.head = self.head.split(b"\r\n\r\n", 1)
            asyncio.get_event_loop().call_later(0.002, self.answer)
    def answer(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
async def main():
    server = await asyncio.get_running_loop().create_server(Serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
CHECK = '[upstreams.site.health_check]\npath = "/health"\ninterval = "100ms"\ntimeout = "100ms"\nunhealthy_after = 2\n'
ALONE = "[upstreams.site.retries]\nattempts = 1\n[upstreams.site.ejection]\nmax_share = 0.0\n"
WAYS = (("retries and ejection", ""), ("health checks alone", ALONE + CHECK), ("all of them", CHECK))


def start_server():
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    return server, int(server.stdout.readline())


def write_config(folder, ports, lines):
    with open(folder + "/gateway.toml", "w") as config:
        config.write("""
[server]
listen = ["http://127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[store]
url = "embedded:gateway.db"
[logging]
format = "json"
level = "info"
[upstreams.site]
servers = %s
[[routes]]
path = "/"
upstream = "site"
public = true
%s""" % (json.dumps(["http://127.0.0.1:%d" % port for port in ports]), lines))


def run(binary, rate, seconds, name, lines):
    folder = tempfile.mkdtemp(prefix="kill-")
    servers = [start_server() for _ in range(3)]
    write_config(folder, [port for _, port in servers], lines)
    gateway, address = start_gateway(binary, folder)
    try:
        load = Load(address["http"], rate, seconds)
        time.sleep(max(0, load.begin + seconds / 3 - time.monotonic()))
        killed = servers[0][0]
        killed.send_signal(signal.SIGKILL)
        at = time.monotonic()
        seen = watch_health(address["admin"], servers[0][1], at)
        load.wait()
        metrics = get(address["admin"], "/metrics")
        again = sum(int(n) for n in re.findall(r"dariet_upstream_retries_total\{.*\} (\d+)", metrics))
        gone = [when - at for when, _ in load.lost]
        print("%-21s %d requests, p50 %.1f ms, max %.0f ms; lost %d%s; sent again %d; left alone after %.0f ms" % (
            name, len(load.times), statistics.median(load.times) * 1000, max(load.times) * 1000, len(load.lost),
            " (the last %.0f ms after the kill)" % (max(gone) * 1000) if gone else "", again, seen * 1000), flush=True)
    finally:
        gateway.kill()
        for server, _ in servers:
            server.kill()


def watch_health(admin, port, since):
    """How long the metrics go on saying that the server takes requests."""
    wanted = 'dariet_upstream_server_healthy{upstream="site",server="127.0.0.1:%d"} 0' % port
    while time.monotonic() - since < 10:
        if wanted in get(admin, "/metrics"):
            return time.monotonic() - since
        time.sleep(0.002)
    return float("nan")


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def main():
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 6
    for name, lines in WAYS:
        run(sys.argv[1], rate, seconds, name, lines)


if __name__ == "__main__":
    main()
