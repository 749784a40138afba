#!/usr/bin/env python3
"""What do balancing, routes and limits add to the CPU of a request?

    features.py GATEWAY [ROUNDS [http1|http2]]

Starts GATEWAY (the binary) once for each configuration, one worker each, on core 0: plainly (one server, one route, no limit, no
retries), with balancing (four servers, weights, health checks, retries, ejection), with routes (a hundred of them; the one that is asked for
has a host, methods, headers set and removed, CORS), with limits (per principal, key, address and route), and with all three. The
load is on core 1, with nginx as the service: requests with an API key over TLS, by wrk, or over HTTP/2 by h2load. Each of
ROUNDS (24) takes a second of every configuration, in another order; what is counted is user and system time of the gateway's process
for each answer. Says the median, and that of the differences to the plain one in the same round with the two quartiles around it.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import stand

SECONDS = 1
HOST, PATH = "app.example.com", "/service-50/items/7"
HEADERS = ["Host: " + HOST, "Origin: https://app.example.org"]
BASE = """
[server]
listen = ["127.0.0.1:%(tls)d"]
workers = 1
[admin]
listen = "127.0.0.1:%(admin)d"
[store]
url = "embedded:gateway.db"
%(more)s
"""
ONE_SERVER = """
[upstreams.service]
servers = ["http://127.0.0.1:{0}"]
retries = {{ attempts = 1 }}
ejection = {{ max_share = 0.0 }}
"""
FOUR_SERVERS = """
[upstreams.service]
servers = [
    {{ url = "http://127.0.0.1:{0}", weight = 1 }}, {{ url = "http://127.0.0.1:{1}", weight = 2 }},
    {{ url = "http://127.0.0.1:{2}", weight = 3 }}, {{ url = "http://127.0.0.1:{3}", weight = 4 }},
]
retries = {{ attempts = 3, statuses = [502, 503] }}
ejection = {{ failures = 5, statuses = [500] }}
health_check = {{ path = "/health", interval = "1s" }}
"""
ONE_ROUTE = """
[[routes]]
path = "/"
upstream = "service"
"""
ROUTE = """
[[routes]]
hosts = ["*.example.com", "example.org"]
path = "/service-%d"
methods = ["GET", "HEAD", "POST"]
upstream = "service"
allow = [{ role = "admin" }, { role = "viewer", methods = ["GET"] }]
strip_prefix = "/service-%d"
request_headers = { set = { "X-Environment" = "production" }, add = { "X-Tag" = "gateway" }, remove = ["Accept-Encoding"] }
response_headers = { set = { "X-Frame-Options" = "DENY" }, remove = ["Server"] }
cors = { origins = ["https://app.example.org"], expose = ["X-Total"] }
"""
LIMITS = "".join('[[limits]]\nper = "%s"\nrate = "1000000 per 1s"\n' % per for per in ("principal", "key", "address", "route"))
MANY_ROUTES = "".join(ROUTE % (number, number) for number in range(100))
WAYS = (
    ("plain", ONE_SERVER, ONE_ROUTE, ""),
    ("balancing", FOUR_SERVERS, ONE_ROUTE, ""),
    ("routes", ONE_SERVER, MANY_ROUTES, ""),
    ("limits", ONE_SERVER, ONE_ROUTE, LIMITS),
    ("all of them", FOUR_SERVERS, MANY_ROUTES, LIMITS),
)
NGINX = """
daemon off;
worker_processes 1;
pid %(folder)s/pid;
error_log %(folder)s/errors;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path %(folder)s/a; proxy_temp_path %(folder)s/b; fastcgi_temp_path %(folder)s/c;
    uwsgi_temp_path %(folder)s/d; scgi_temp_path %(folder)s/e;
    keepalive_requests 1000000000;
    server { %(listen)s location / { return 200 "%(body)s"; } }
}
"""


def start_nginx(folder, ports):
    listen = " ".join("listen 127.0.0.1:%d;" % port for port in ports)
    with open(folder + "/nginx.conf", "w") as config:
        config.write(NGINX % dict(folder=folder, listen=listen, body="x" * 1024))
    return subprocess.Popen(["taskset", "-c", "1", "nginx", "-c", folder + "/nginx.conf", "-e", folder + "/errors"])


def load(gateway, key, protocol):
    """How many requests were answered, all of them well."""
    url = "https://127.0.0.1:%d%s" % (gateway.tls, PATH)
    headers = [word for header in HEADERS + ["Authorization: " + key] for word in ("-H", header)]
    if protocol == "http2":
        # It takes the authority as a field of its own.
        headers[1] = ":authority: " + HOST
        command = ["h2load", "-c8", "-m8", "-t1", "-D%d" % SECONDS, *headers, url]
    else:
        command = ["wrk", "-t1", "-c32", "-d%ds" % SECONDS, *headers, url]
    told = subprocess.run(["taskset", "-c", "1", *command], capture_output=True, text=True, check=True).stdout
    if protocol == "http2":
        done, failed = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx", told).groups()
        failed = int(failed) + sum(map(int, re.search(r"(\d+) 4xx, (\d+) 5xx", told).groups()))
    else:
        done = re.search(r"(\d+) requests in", told).group(1)
        failed = "Non-2xx" in told or "Socket errors" in told
    if failed:
        sys.exit("requests failed:\n" + told)
    return int(done)


def micros(gateway, key, protocol):
    before = gateway.cpu()
    done = load(gateway, key, protocol)
    return (gateway.cpu() - before) / done * 1e6


def make_key(gateway):
    seed = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed.py")
    argv = [sys.executable, seed, gateway.folder + "/admin.sock", str(gateway.tls), "apikey", "1"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def measure(binary, rounds, protocol, ports):
    gateways, keys, taken = [], [], [[] for _ in WAYS]
    try:
        for _, servers, routes, limits in WAYS:
            more = servers.format(*ports) + routes + limits
            gateways.append(stand.Gateway(binary, more=more, config=BASE, core=0))
            keys.append(make_key(gateways[-1]))
        for gateway, key in zip(gateways, keys):
            load(gateway, key, protocol)
        for number in range(rounds):
            for step in range(len(WAYS)):
                way = (number + step) % len(WAYS)
                taken[way].append(micros(gateways[way], keys[way], protocol))
    finally:
        for gateway in gateways:
            gateway.process.kill()
            shutil.rmtree(gateway.folder, ignore_errors=True)
    for (name, *_), times in zip(WAYS, taken):
        more = [time - plain for time, plain in zip(times, taken[0])]
        low, middle, high = statistics.quantiles(more, n=4)
        print("%-12s %5.1f µs a request; added %+.1f µs (%+.1f to %+.1f), %+.0f %%" % (
            name, statistics.median(times), middle, low, high, middle / statistics.median(taken[0]) * 100), flush=True)


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    protocol = sys.argv[3] if len(sys.argv) > 3 else "http1"
    folder = tempfile.mkdtemp(prefix="features-")
    ports = stand.free_ports(4)
    nginx = start_nginx(folder, ports)
    time.sleep(0.3)
    try:
        measure(sys.argv[1], rounds, protocol, ports)
    finally:
        nginx.terminate()
        nginx.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
