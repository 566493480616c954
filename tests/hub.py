"""A server on this machine that answers like the Hugging Face Hub when a model is pushed."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """What was pushed: repositories with their settings, files by name, and the tokens that came along."""

    def __init__(self, refuses: int | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuses = refuses  # the status that answers the making of a repository
        self.created, self.files, self.objects, self.commits, self.tokens = [], {}, {}, [], set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(refuses: int | None = None):
    with Hub(refuses) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, values, status=200):
        body = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def do_PUT(self):
        self.server.objects[self.path.rpartition("/")[2]] = self.body()
        self.answer({})

    def do_POST(self):
        hub, body, path = self.server, self.body(), self.path.partition("?")[0]
        hub.tokens.add(self.headers.get("Authorization"))
        if path == "/api/repos/create":
            if hub.refuses:
                return self.answer({"error": "no"}, hub.refuses)
            hub.created.append(json.loads(body))
            return self.answer({"url": f"{hub.endpoint}/me/{hub.created[-1]['name']}"})
        if path == "/api/validate-yaml":
            return self.answer({"warnings": [], "errors": []})
        if "/preupload/" in path:
            modes = [
                {
                    "path": f["path"],
                    "shouldIgnore": False,
                    "uploadMode": "lfs" if _large(f["path"]) else "regular",
                }
                for f in json.loads(body)["files"]
            ]
            return self.answer({"files": modes})
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                o | {"actions": {"upload": {"href": f"{hub.endpoint}/lfs/{o['oid']}"}}}
                for o in json.loads(body)["objects"]
            ]
            return self.answer({"objects": objects, "transfer": "basic"})
        if "/commit/" in path:
            lines = [json.loads(line) for line in body.splitlines()]
            hub.commits.append(lines[0]["value"]["summary"])
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    hub.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    hub.files[value["path"]] = hub.objects[value["oid"]]
            url = f"{hub.endpoint}/me/model/commit/{'0' * 40}"
            return self.answer({"commitUrl": url, "commitOid": "0" * 40})
        self.answer({"error": f"unknown: {path}"}, 404)


def _large(name: str) -> bool:
    return name.endswith((".safetensors", ".png"))
