"""A read-only stand-in for the Hub on 127.0.0.1: what `dataset_info` and `hf_hub_download` ask, and no more."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Repository:
    """Files by revision; `error` answers every request with an HTTP status and the Hub's error code."""

    revisions: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    error: tuple[int, str] | None = None

    def commit(self, revision: str) -> str | None:
        """Return the commit of a revision, or of itself."""
        for name, files in self.revisions.items():
            digest = hashlib.sha1(f"{name}{sorted(files)}".encode()).hexdigest()
            if revision in (name, digest):
                return digest
        return None

    def files(self, commit: str) -> Mapping[str, bytes]:
        """Return the files of a commit."""
        return next(files for name, files in self.revisions.items() if self.commit(name) == commit)


class HubServer:
    """Serves repositories until closed; `requests` are the lines it answered."""

    def __init__(self, repositories: Mapping[str, Repository]):
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(repositories))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, repositories: Mapping[str, Repository]) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = [unquote(part) for part in self.path.split("?")[0].strip("/").split("/")]
                requests.append(f"{self.command} {self.path}")
                if parts[:2] == ["api", "datasets"]:
                    self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
                else:
                    self._file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))

            do_HEAD = do_GET

            def _repository(self, repo_id: str) -> Repository | None:
                repository = repositories.get(repo_id, Repository(error=(404, "RepoNotFound")))
                if repository.error:
                    self._answer(repository.error[0], b"{}", **{"X-Error-Code": repository.error[1]})
                    return None
                return repository

            def _info(self, repo_id: str, revision: str) -> None:
                repository = self._repository(repo_id)
                if repository is None:
                    return
                commit = repository.commit(revision)
                if commit is None:
                    return self._answer(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
                siblings = [{"rfilename": name} for name in repository.files(commit)]
                self._answer(200, json.dumps({"id": repo_id, "sha": commit, "siblings": siblings}).encode())

            def _file(self, repo_id: str, revision: str, name: str) -> None:
                repository = self._repository(repo_id)
                if repository is None:
                    return
                commit = repository.commit(revision) or ""
                content = repository.files(commit)[name]
                self._answer(
                    200, content, ETag=f'"{hashlib.sha256(content).hexdigest()}"', **{"X-Repo-Commit": commit}
                )

            def _answer(self, status: int, content: bytes, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        return Handler
