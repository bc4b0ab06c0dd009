"""The review page's server: one job, one person, this machine alone.

Whoever lacks the token in the address, comes from another page, or asks for anything but the routes below gets an empty
404. No path of a request is ever a path of the disk: files are numbers in the job's own list.
"""

import hmac
import http.server
import importlib.resources
import json
import re
import secrets
import sys
import urllib.parse
from typing import Any

from qm_vae.errors import InputError
from qm_vae.review.saved import Outdated
from qm_vae.review.session import Session

HOST = "127.0.0.1"
_LONGEST = 32 * 2**20  # bytes of a request
_SECONDS = 30  # that a connection may be silent
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_POLICY = (
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# The auditor's page carries its style and pictures within itself, and no script.
_AUDIT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_HEADERS = {
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
}


class Server(http.server.ThreadingHTTPServer):
  """Serves one session on a port of the loopback address.

  Attributes: session, token, address (with the token: who has it may see and decide everything).
  """

  daemon_threads = True

  def __init__(self, session: Session, port: int = 0):
    """Binds the port; 0 for any that is free.

    Raises:
      OSError: where it is taken.
    """
    super().__init__((HOST, port), _Handler)
    self.session, self.token = session, secrets.token_urlsafe(24)
    self.hosts = tuple(f"{name}:{self.server_port}" for name in (HOST, "localhost"))
    self.address = f"http://{HOST}:{self.server_port}/{self.token}/"
    page = importlib.resources.files("qm_vae.review") / "page"
    self.static = {one.name: one.read_bytes() for one in page.iterdir() if one.name.endswith(tuple(_TYPES))}

  def handle_error(self, request, client_address):
    """Says nothing of a browser that no longer waits, as when one steps on before a picture has come."""
    if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
      super().handle_error(request, client_address)


class _Refused(Exception):
  """Answered by an empty page."""


class _Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = "HTTP/1.1"
  server_version, sys_version = "review", ""
  timeout = _SECONDS
  server: Server

  def do_GET(self):
    self._answer("GET")

  def do_PUT(self):
    self._answer("PUT")

  def do_POST(self):
    self._answer("POST")

  def _answer(self, method):
    try:
      path, query = self._admitted(method)
      kind, content, policy = self._made(method, path, query)
      status = 200
    except _Refused:
      # A body may be waiting that nobody will read.
      self.close_connection = True
      status, kind, content, policy = 404, "text/plain", b"", _POLICY
    except Outdated as error:
      status, kind, content, policy = 409, *_json({"error": str(error)})
    except (ValueError, IndexError, OSError, RuntimeError) as error:
      status, kind, content, policy = 400, *_json({"error": str(error)})
    self.send_response(status)
    for name, value in _HEADERS.items():
      self.send_header(name, value)
    self.send_header("Content-Security-Policy", policy)
    self.send_header("Content-Type", kind + ("; charset=utf-8" if kind.startswith("text/") else ""))
    self.send_header("Content-Length", str(len(content)))
    if self.close_connection:
      self.send_header("Connection", "close")
    self.end_headers()
    self.wfile.write(content)

  def _admitted(self, method):
    """The path below the token and the query, of a request that may be answered."""
    host = self.headers.get("Host", "")
    if host not in self.server.hosts:
      raise _Refused  # a name of somebody else's that leads here (DNS rebinding)
    parts = urllib.parse.urlsplit(self.path)
    token, _, path = parts.path.removeprefix("/").partition("/")
    if not hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
      raise _Refused
    origin = self.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
      raise _Refused
    if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
      raise _Refused
    if method != "GET" and (origin is None or self.headers.get("Content-Type") != "application/json"):
      raise _Refused  # a form of another page can send neither
    return path, dict(urllib.parse.parse_qsl(parts.query))

  def _made(self, method, path, query):
    """(content type, bytes, policy) of one route."""
    if method == "GET" and (name := path or "index.html") in self.server.static:
      kind = next(kind for suffix, kind in _TYPES.items() if name.endswith(suffix))
      return kind, self.server.static[name], _POLICY
    for verb, pattern, answer in _ROUTES:
      if method == verb and (match := re.fullmatch(pattern, path, re.ASCII)):
        return answer(self, self.server.session, query, *map(int, match.groups()))
    raise _Refused

  def _body(self) -> Any:
    length = self.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > _LONGEST:
      self.close_connection = True
      raise InputError(f"a request has at most {_LONGEST} bytes and says how many")
    content = json.loads(self.rfile.read(int(length)))
    if not isinstance(content, dict):
      raise InputError("a request is a JSON object")
    return content

  def job(self, session, query):
    return _json(session.job())

  def file(self, session, query, number):
    return _json(session.file(number))

  def faces(self, session, query, number):
    return _json(session.faces(number, _number(query, "first"), _number(query, "last")))

  def protected(self, session, query, number, frame):
    return "image/jpeg", session.picture(number, frame, _number(query, "side"), original=False), _POLICY

  def original(self, session, query, number, frame):
    return "image/jpeg", session.picture(number, frame, _number(query, "side"), original=True), _POLICY

  def save(self, session, query, number):
    content = self._body()
    revision = content.pop("revision", None)
    return _json({"revision": session.save(number, content, revision)})

  def sign(self, session, query):
    content = self._body()
    return _json(session.sign(content.get("by"), content.get("note"), content.get("revision")))

  def apply(self, session, query):
    self._body()
    session.apply()
    return _json(session.application.state())

  def applying(self, session, query):
    return _json(session.application.state())

  def audit(self, session, query):
    return "text/html", session.audit_page().encode("utf-8", "backslashreplace"), _AUDIT_POLICY

  def log_message(self, format, *args):
    """Says nothing: a request's line holds the token."""


_ROUTES = (
  ("GET", r"job", _Handler.job),
  ("GET", r"files/(\d{1,7})", _Handler.file),
  ("GET", r"files/(\d{1,7})/faces", _Handler.faces),
  ("GET", r"files/(\d{1,7})/protected/(\d{1,9})", _Handler.protected),
  ("GET", r"files/(\d{1,7})/original/(\d{1,9})", _Handler.original),
  ("PUT", r"files/(\d{1,7})", _Handler.save),
  ("PUT", r"signed", _Handler.sign),
  ("POST", r"apply", _Handler.apply),
  ("GET", r"apply", _Handler.applying),
  ("GET", r"audit", _Handler.audit),
)
"""Verb, path below the token, and what answers; nothing else does."""


def _json(content):
  return "application/json", json.dumps(content, allow_nan=False).encode(), _POLICY


def _number(query, name):
  text = query.get(name, "")
  if not (text.isascii() and text.isdecimal() and len(text) < 10):
    raise InputError(f"{name}={text!r} must be a whole number")
  return int(text)
