"""The page's server: on 127.0.0.1 only, and only for a browser that asks for it by that name."""

import contextlib
import signal
import socket
import threading

from shared.errors import FailedRun, UserError, reason_of

HOST = "127.0.0.1"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What the page may load: what it brings along. Its scripts are inline, and some are made at run time.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def free_socket(port: int) -> socket.socket:
    """A socket bound to `port` of 127.0.0.1, 0 for any. Raises UserError where another program has it."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((HOST, port))
        one.listen()
    except OSError as error:
        one.close()
        raise UserError(
            f"port {port} of {HOST} cannot be used ({error.strerror}): name another one, --port N"
        ) from None
    return one


class OnlyHere:
    """ASGI middleware that answers only requests for this address and from its own pages.

    A page from elsewhere can have its own name resolved to 127.0.0.1 (DNS rebinding); its requests say that name as their Host. It
    can send a form here under the right name; then they say where it comes from, as Origin.
    """

    def __init__(self, application, port: int):
        self.application = application
        end = "" if port == 80 else f":{port}"  # browsers leave out the usual one
        self.hosts = {f"{name}{end}".encode() for name in (HOST, "localhost")}

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.application(scope, receive, send)
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value.removeprefix(b"http://") for name, value in headers if name == b"origin"]
        if len(hosts) != 1 or not {*hosts, *origins} <= self.hosts:
            return await _refuse(scope, send)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                others = [(n, v) for n, v in message["headers"] if n.lower().decode() not in HEADERS]
                message["headers"] = others + [(n.encode(), v.encode()) for n, v in HEADERS.items()]
            await send(message)

        await self.application(scope, receive, send_with_headers)


async def _refuse(scope, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"hotdog app answers only to its own address.\n"
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})


@contextlib.contextmanager
def ending_politely():
    """Whatever asks this process to end, keyboard, `kill` or a closed terminal, is a KeyboardInterrupt inside, and one only."""

    def interrupt(*_):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    heard = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def serve(application, one: socket.socket, ready):
    """Serve `application` on a bound socket until this process is interrupted; `ready()` once it answers. Only for the main thread.

    Raises FailedRun where the server ends by itself.
    """
    import uvicorn

    settings = {"log_level": "critical", "access_log": False, "timeout_graceful_shutdown": 1, "ws": "none"}
    server = uvicorn.Server(uvicorn.Config(OnlyHere(application, one.getsockname()[1]), **settings))
    server.capture_signals = contextlib.nullcontext  # they are heard here
    failed = []

    def work():
        try:
            server.run(sockets=[one])
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.05)
        if server.started:
            ready()
        while thread.is_alive():
            thread.join(0.5)
        raise FailedRun(f"the page's server ended: {reason_of(failed[0]) if failed else 'it could not start'}")
    except KeyboardInterrupt:
        pass  # how it is ended
    finally:
        server.should_exit = True
        thread.join(4)
