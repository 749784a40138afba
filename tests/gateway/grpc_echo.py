"""A service by gRPC and its callers, whose messages are bytes.

`serve` prints its port and serves until it is killed. `call PORT CA TOKEN` makes calls, and prints what came of
each as JSON.
"""

import concurrent.futures
import json
import queue
import sys

import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-role", metadata.get("x-auth-user-role", "-")),))
    context.set_trailing_metadata((("x-trailer", "behind"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not 100% yet: é")
    if request == b"remaining":
        return b"%d" % round(context.time_remaining())
    return b"echo " + request


def both(requests, context):
    for request in requests:
        yield b"echo " + request


def serve():
    handler = grpc.method_handlers_generic_handler(
        "test.Echo",
        {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Both": grpc.stream_stream_rpc_method_handler(both),
        },
    )
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def outcome(call):
    try:
        answer, call = call()
        head, tail = dict(call.initial_metadata()), dict(call.trailing_metadata())
        return {
            "answer": answer.decode(),
            "role": head.get("x-role"),
            "trailer": tail.get("x-trailer"),
        }
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}


def ping_pong(channel, metadata):
    """Each message is sent when the answer to the one before has come."""
    waiting = queue.Queue()
    waiting.put(b"0")
    answers = channel.stream_stream("/test.Echo/Both")(iter(waiting.get, None), metadata=metadata, timeout=20)
    came = []
    for answer in answers:
        came.append(answer.decode())
        waiting.put(b"%d" % len(came) if len(came) < 5 else None)
    return came


def call(port, ca, token):
    with open(ca, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(f"localhost:{port}", credentials)
    bearer = (("authorization", f"Bearer {token}"),)

    def one(message, metadata=bearer, method="/test.Echo/Unary"):
        return outcome(lambda: channel.unary_unary(method).with_call(message, metadata=metadata, timeout=20))

    told = {
        "echo": one(b"hello"),
        "long": len(one(b"x" * 3_000_000)["answer"]),
        "fail": one(b"fail"),
        "remaining": one(b"remaining"),
        "nobody": one(b"hello", metadata=()),
        "nowhere": one(b"hello", method="/other.Service/Unary"),
        "both": ping_pong(channel, bearer),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
