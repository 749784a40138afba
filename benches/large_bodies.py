#!/usr/bin/env python3
"""How much memory does a body of 1 GiB take, each way?

    large_bodies.py GATEWAY [MIB]

Starts GATEWAY (the binary) before a service, and has curl send and fetch one body of MIB (1024), over TLS by HTTP/1.1 and by
HTTP/2: as fast as it goes, with a client that takes slower than the service gives, and with a service that takes slower than the client
gives. Says for each the peak of the gateway's resident memory, what of it was there before, and how fast the body went.
"""
import asyncio
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile

import stand

PIECE = b"x" * (64 << 10)
# What a slow side takes.
SLOW = 128 << 20
CONFIG = """
[server]
listen = ["127.0.0.1:%(tls)d"]
workers = 1
[admin]
listen = "127.0.0.1:%(admin)d"
[store]
url = "embedded:gateway.db"
[upstreams.service]
servers = ["http://127.0.0.1:%(service)d"]
[[routes]]
path = "/"
upstream = "service"
public = true
"""
WAYS = (
    ("download", "/give", ()),
    ("download, slow client", "/give", ("--limit-rate", str(SLOW))),
    ("upload", "/take", ()),
    ("upload, slow service", "/slow", ()),
)


async def give(writer, size):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // len(PIECE)):
        writer.write(PIECE)
        await writer.drain()


async def take(reader, writer, size, is_slow):
    left = size
    while left:
        left -= len(await reader.read(min(left, 1 << 20)))
        if is_slow:
            await asyncio.sleep((1 << 20) / SLOW)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def serve(port, size):
    async def answer(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ")[1]
                if target == b"/give":
                    await give(writer, size)
                else:
                    await take(reader, writer, size, target == b"/slow")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    async def run():
        await (await asyncio.start_server(answer, "127.0.0.1", port, limit=1 << 20)).serve_forever()
    asyncio.run(run())


def move(gateway, file, target, more, version):
    """Bytes a second, of a body that went whole."""
    argv = ["curl", "-sSk", version, *more, "-o", "/dev/null", "-w", "%{http_version} %{size_download} %{size_upload} %{time_total}"]
    if target != "/give":
        # Without waiting for 100, which is not what is measured.
        argv += ["-T", file, "-H", "Expect:"]
    told = subprocess.run(argv + ["https://127.0.0.1:%d%s" % (gateway.tls, target)], capture_output=True, text=True, check=True)
    spoken, down, up, seconds = told.stdout.split()
    assert "--http" + spoken.replace("2.0", "2") == version, told.stdout
    assert int(down) + int(up) == os.path.getsize(file), told.stdout
    return os.path.getsize(file) / float(seconds)


def main():
    size = (int(sys.argv[2]) if len(sys.argv) > 2 else 1024) << 20
    folder = tempfile.mkdtemp(prefix="bodies-")
    file = folder + "/body"
    with open(file, "wb") as body:
        body.truncate(size)
    for version in ("--http1.1", "--http2"):
        for name, target, more in WAYS:
            # Each in a gateway of its own: what an allocator has taken once it may keep.
            with stand.Gateway(sys.argv[1], config=CONFIG) as gateway:
                service = multiprocessing.Process(target=serve, args=(gateway.service, size), daemon=True)
                service.start()
                subprocess.run(["curl", "-sk", "-o", "/dev/null", "--retry", "50", "--retry-all-errors", "--retry-delay", "0",
                                "https://127.0.0.1:%d/api/auth/me" % gateway.tls], check=True)
                before = gateway.memory()
                gateway.begin_peak()
                speed = move(gateway, file, target, more, version)
                peak = gateway.memory("VmHWM")
                service.kill()
            print("%-9s %-22s %5.1f MiB at the most, %.1f before; %4.0f MiB/s" % (
                version.strip("-"), name, peak / 1024, before / 1024, speed / (1 << 20)), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
