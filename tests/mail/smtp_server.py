"""An SMTP server for the tests. What happens is told on stdout, one JSON object a line.

The first line is {"event": "listening", "port": ...}. It ends when stdin does; a line on stdin
releases the mail that --hold stopped.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--only-login", action="store_true", help="offer AUTH LOGIN and not PLAIN")
    parser.add_argument("--fail-first", type=int, default=0, help="mails to answer with 451")
    parser.add_argument("--reject", action="store_true", help="answer each mail with 550")
    parser.add_argument("--hold", help="an address to answer only after a line on stdin")
    return parser.parse_args()


class Handler:
    def __init__(self, arguments):
        self.arguments = arguments
        self.failures = arguments.fail_first
        self.released = asyncio.Event()

    def authenticate(self, server, session, envelope, mechanism, login):
        given = (login.login.decode(), login.password.decode())
        success = given == (self.arguments.user, self.arguments.password)
        tell("auth", mechanism=mechanism, user=given[0], success=success)
        return AuthResult(success=success, handled=False)

    async def handle_MAIL(self, server, session, envelope, address, options):
        tell("mail", sender=address, options=options)
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.arguments.reject:
            tell("rejected", to=address)
            return f"550 5.1.1 <{address}>: nobody here of that name"
        if self.failures > 0:
            self.failures -= 1
            tell("deferred", to=address)
            return f"451 4.3.0 <{address}>: try again later"
        if address == self.arguments.hold:
            tell("holding", to=address)
            await self.released.wait()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            "message",
            peer=session.peer[1],
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            user=self.arguments.user if session.authenticated else None,
            headers={name.lower(): value for name, value in message.items()},
            types=[part.get_content_type() for part in message.walk()],
            plain=message.get_body(("plain",)).get_content(),
            html=message.get_body(("html",)).get_content(),
        )
        return "250 2.0.0 taken"


class Server(SMTP):
    def connection_made(self, transport):
        # STARTTLS makes the connection anew over the same socket.
        tell("tls" if transport.get_extra_info("sslcontext") else "connected")
        super().connection_made(transport)

    def connection_lost(self, error):
        super().connection_lost(error)
        tell("closed")


def secured(arguments):
    if arguments.tls == "none":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate, arguments.key)
    return context


async def main():
    arguments = parse_arguments()
    handler = Handler(arguments)
    context = secured(arguments)
    loop = asyncio.get_running_loop()

    def connection():
        return Server(
            handler,
            enable_SMTPUTF8=True,
            hostname="mail.test",
            tls_context=context if arguments.tls == "starttls" else None,
            require_starttls=arguments.tls == "starttls",
            auth_required=arguments.user is not None,
            auth_require_tls=False,
            auth_exclude_mechanism=["PLAIN"] if arguments.only_login else None,
            authenticator=handler.authenticate,
            loop=loop,
        )

    implicit = context if arguments.tls == "implicit" else None
    server = await loop.create_server(connection, "127.0.0.1", arguments.port, ssl=implicit)
    tell("listening", port=server.sockets[0].getsockname()[1])

    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while await stdin.readline():
        handler.released.set()


# Clients that break off are what is tested, and logging in without TLS is asked for.
logging.disable()
warnings.simplefilter("ignore")
asyncio.run(main())
