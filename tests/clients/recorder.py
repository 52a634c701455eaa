"""A proxy before an AWS endpoint that keeps each request, and answers what the endpoint lacks."""

import http.client
import json
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import cbor2
from runtime_api import serving

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Refused(Exception):
    """Raised by a stand-in: the exception that AWS answers, by its name."""


class Recorder:
    """`stand_ins`: by operation, from a request's members to the answer's, or `Refused`. `files`: by path, for GET."""

    def __init__(self, url: str, stand_ins: dict[str, Callable[[dict], dict]], files: dict[str, bytes]):
        self.behind, self.stand_ins, self.files = urlsplit(url).netloc, stand_ins, files
        self.url, self.kept, self.stood_in = "", [], []

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.kept]

    def bodies(self, operation: str) -> list[dict]:
        return [body for name, body in self.kept if name == operation]

    def answer(self, method: str, path: str, headers, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if method == "GET" and path in self.files:
            return 200, [], self.files[path]
        # JSON names its operation in a header, RPC v2 CBOR in the path.
        json_target = headers.get("X-Amz-Target")
        operation = json_target.split(".")[-1] if json_target else path.split("/")[-1]
        members = json.loads(body) if json_target else cbor2.loads(body)
        self.kept.append((operation, members))
        if operation in self.stand_ins:
            self.stood_in.append(operation)
            try:
                given = self.stand_ins[operation](members)
            except Refused as refused:
                assert json_target, "RPC v2 CBOR writes errors otherwise"
                kind = [("Content-Type", "application/x-amz-json-1.1")]
                return 400, kind, json.dumps({"__type": str(refused), "message": "refused"}).encode()
            if json_target:
                return 200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(given).encode()
            kind = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
            return 200, kind, cbor2.dumps(given, datetime_as_timestamp=True)
        connection = http.client.HTTPConnection(self.behind, timeout=30)
        try:
            forwarded = {name: value for name, value in headers.items() if name.lower() not in HOP}
            connection.request(method, path, body, forwarded)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
            return answer.status, kept, answer.read()
        finally:
            connection.close()


@contextmanager
def recording(url: str, stand_ins: dict[str, Callable[[dict], dict]] | None = None, files: dict[str, bytes] | None = None):
    recorder = Recorder(url, stand_ins or {}, files or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = recorder.answer(self.command, self.path, self.headers, body)
            self.send_response_only(status)
            for name, value in [*headers, ("Content-Length", str(len(content))), ("Connection", "close")]:
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True
            self.wfile.write(content)

        do_GET = do_POST = pass_on

    with serving(Handler) as address:
        recorder.url = f"http://{address}"
        yield recorder
