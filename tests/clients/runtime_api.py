"""A Lambda Runtime API for one function's program, which is started as Lambda starts it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: a long poll for the next
event, an answer or an error for each, an error where the start fails.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from localcloud import ACCOUNT, REGION, ROOT

PREFIX = "/2018-06-01/runtime/"


def function_binary(name: str) -> str:
    """A function's program: what cargo built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "debug" / name)


@dataclass
class Said:
    """What the program said to the Runtime API, or that it ended."""

    kind: str  # answer, error, init-error, exit
    body: dict | int | None
    request_id: str = ""


class FunctionError(Exception):
    """The function answered an event with an error, or ended."""

    def __init__(self, said: Said):
        body = said.body if isinstance(said.body, dict) else {}
        self.kind, self.type = said.kind, body.get("errorType", "")
        self.message = body.get("errorMessage", f"the program ended with {said.body}")
        super().__init__(f"{said.kind}: {self.message}")


@dataclass
class Function:
    """A running program and what it wrote."""

    name: str
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    events: queue.Queue = field(default_factory=queue.Queue)
    said: queue.Queue = field(default_factory=queue.Queue)
    last_request_id: str = ""

    def invoke(self, event, time_limit: float = 30, seconds: float = 40) -> dict:
        """Delivers one event with `time_limit` seconds of the function's own; gives its
        answer, raises its error."""
        request_id = str(uuid.uuid4())
        self.last_request_id = request_id
        self.events.put((request_id, event if isinstance(event, bytes) else json.dumps(event).encode(), time_limit))
        said = self.next(seconds)
        if said.kind != "answer":
            raise FunctionError(said)
        assert said.request_id == request_id
        return said.body

    def next(self, seconds: float) -> Said:
        try:
            return self.said.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"{self.name} said nothing in {seconds} s; its log: {self.stdout[-20:]}") from None

    def start_error(self, seconds: float = 20) -> FunctionError:
        """Why the program could not start; it is then over."""
        said = self.next(seconds)
        assert said.kind == "init-error", said
        ended = self.next(seconds)
        assert (ended.kind, ended.body != 0) == ("exit", True), ended
        return FunctionError(said)

    def log(self) -> list[dict]:
        """Its standard output, of which each line must be JSON."""
        return [json.loads(line) for line in list(self.stdout)]


def lambda_environment(name: str, **more: str) -> dict[str, str]:
    """The variables that Lambda gives, with recognisable credentials."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TZ": ":UTC",
        "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}", "AWS_LAMBDA_LOG_STREAM_NAME": "[$LATEST]0",
        "_HANDLER": "bootstrap", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": f"ASIAFN{name}", "AWS_SECRET_ACCESS_KEY": "secret-key-of-the-function",
        "AWS_SESSION_TOKEN": "session-token-of-the-function",
    } | more


def handler_of(function: Function):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            assert self.path == f"{PREFIX}invocation/next", self.path
            waiting = function.events.get()
            if waiting is None:
                self.close_connection = True
                return
            request_id, event, limit = waiting
            self.answer(200, event, **{
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + limit) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}",
                "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
            })

        def do_POST(self) -> None:
            body = self.body()
            self.answer(202, b'{"status":"OK"}')
            parts = self.path.removeprefix(PREFIX).split("/")
            match parts:
                case ["invocation", request_id, "response"]:
                    function.said.put(Said("answer", json.loads(body), request_id))
                case ["invocation", request_id, "error"]:
                    function.said.put(Said("error", json.loads(body), request_id))
                case ["init", "error"]:
                    function.said.put(Said("init-error", json.loads(body)))
                case _:
                    raise AssertionError(f"the Runtime API has no {self.path}")

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return whole

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A client that was ended in the middle of a request is nothing to tell.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]):
    """A server on a free port of the loopback interface, until the block ends; gives `host:port`."""
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def follow(pipe, lines: list[str]) -> threading.Thread:
    """Appends each line as it comes."""
    def go() -> None:
        with pipe:
            for line in pipe:
                lines.append(line.rstrip("\n"))
    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


@contextmanager
def lambda_function(name: str, environment: dict[str, str], program: str | None = None):
    """The program of a function, until the block ends."""
    running = Function(name)
    with serving(handler_of(running)) as address:
        process = subprocess.Popen(
            [program or function_binary(name)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment | {"AWS_LAMBDA_RUNTIME_API": address},
        )
        readers = [follow(process.stdout, running.stdout), follow(process.stderr, running.stderr)]

        def watch() -> None:
            status = process.wait()
            for reader in readers:
                reader.join(5)
            running.said.put(Said("exit", status))

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield running
        finally:
            process.kill()
            watching.join(15)
            running.events.put(None)
