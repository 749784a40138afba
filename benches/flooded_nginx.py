"""nginx as a proxy before the same services as the gateway, with bounds like those that floods.py gives it."""
import tempfile

import load
import stand

# One process, as the gateway is one; nothing of an answer is kept on disk, as the gateway keeps nothing.
CONFIG = """
daemon off;
master_process off;
pid %(folder)s/pid;
error_log %(folder)s/error.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    client_header_timeout 2s;
    keepalive_timeout 3s;
    client_body_timeout 3s;
    send_timeout 3s;
    # As much as the gateway's max_head.
    large_client_header_buffers 4 64k;
    upstream service { server 127.0.0.1:%(service)d; keepalive 256; }
    upstream other { server 127.0.0.1:%(other)d; keepalive 256; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:%(admin)d;
        location / { stub_status; }
    }
    server {
        listen 127.0.0.1:%(plain)d backlog=4096;
        listen 127.0.0.1:%(tls)d ssl http2 backlog=4096;
        ssl_certificate %(certificate)s;
        ssl_certificate_key %(key)s;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_buffering off;
        proxy_request_buffering off;
        location /open { proxy_pass http://service; }
        location /other {
            proxy_pass http://other;
            # The client beside a flood asks more often than a connection may by default.
            keepalive_requests 1000000000;
        }
    }
}
"""


class Nginx(stand.Server):
    """nginx with one worker."""

    def __init__(self, binary, core=None):
        argv = [binary, "-p", "%(folder)s", "-e", "%(folder)s/error.log", "-c", "%(folder)s/config"]
        # They are read once, at its start.
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = load.make_certificate(folder)
            values = dict(certificate=certificate, key=key)
            super().__init__("nginx", argv, CONFIG, values, lambda started: load.listens(started.tls), core=core)

    def clients(self):
        """How many connections are open, but for the one that asks."""
        active = next(line for line in self.metrics().splitlines() if line.startswith("Active connections:"))
        return int(active.split()[2]) - 1
