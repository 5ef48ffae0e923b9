"""A real `authlog view` process, and a plain client of it."""

import http.client
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path


class Answer:
    """What the server said."""

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        self.status, self.headers, self.body = status, headers, body


class Served:
    """A server, and the cookie and token of its page once `enter` was called."""

    def __init__(self, process: "subprocess.Popen[str]", link: str) -> None:
        self.process, self.link = process, link
        self.origin, _, self.token = link.partition("/open?t=")
        self.host = self.origin.removeprefix("http://")
        self.port = int(self.host.rpartition(":")[2])
        self.cookie = ""
        self.csrf = ""

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str | None
    ) -> Answer:
        """Ask it for something; a header that is None is left out."""
        given = {"Host": self.host, "Cookie": self.cookie or None}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Type", "application/x-www-form-urlencoded")
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            found = connection.getresponse()
            text = "" if path.startswith("/live") and found.status == 200 else found.read().decode()
            return Answer(found.status, dict(found.getheaders()), text)
        finally:
            connection.close()

    @contextmanager
    def listen(self) -> Generator[http.client.HTTPResponse]:
        """Give its stream of news, open and begun."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/live", headers={"Cookie": self.cookie})
        with closing(connection), connection.getresponse() as stream:
            assert stream.readline() == b"retry: 1000\n"
            yield stream

    def enter(self) -> None:
        """Spend the link, as the browser does that is opened."""
        opened = self.ask(f"/open?t={self.token}")
        assert opened.status == 303
        self.cookie = opened.headers["set-cookie"].partition(";")[0]
        self.csrf = self.ask("/").body.partition('"X-Authlog-Csrf": "')[2].partition('"')[0]

    def wait_until_read(self) -> None:
        """Wait until the whole log was read and verified."""
        with self.listen() as stream:
            for line in stream:
                if b'"loading":false' in line and b'"verified":0' not in line:
                    break


@contextmanager
def view(path: Path | None, *arguments: str) -> Generator[Served]:
    """Serve the store at `path`, or where AUTHLOG_PATH says, while it is entered."""
    where = [] if path is None else ["--path", str(path)]
    command = [sys.executable, "-m", "authlog_tools", *where, "view", "--print"]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield Served(process, process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if not process.stderr.closed:
            said = process.stderr.read()
            process.stderr.close()
            assert not said, said  # it has nothing to say
