"""A black box behind an address: images go out as PNG, answers come back as JSON.

Request: POST, JSON {"images": ["<base64 of a PNG>", ...]}. Answer: JSON {"answers": [...]}, one for each image: a
label, or a list of numbers, null where there is nothing to tell (docs/black_boxes.md).
"""

import base64
import contextlib
import http.client
import ipaddress
import json
import os
import socket
import threading
import time
import urllib.parse

import numpy as np

from qm_vae.errors import InputError
from qm_vae.io import images as image_files
from qm_vae.services.black_box import Client, ServiceFailed, Unavailable

MAX_ANSWER = 16 * 2**20
"""Bytes; a longer answer is refused."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses of a trouble that may pass


def make(source: str, *, allow_sending_faces: bool = False, timeout: float = 10.0, token_variable: str = "") -> Client:
  """The service at an address, as a client. Nothing is sent, nor any connection opened, before the first question.

  The connection goes straight to the address: no proxy is used, and a redirection is an error, so that faces reach
  nobody else. Beyond this machine only https is allowed.

  Args:
    source: http:// (on this machine alone) or https:// address.
    allow_sending_faces: must be True: that faces may leave this process is said beside the address, not by it.
    timeout: seconds until the whole answer must be there, > 0.
    token_variable: name of the environment variable that holds the Authorization header's value; '' for none.

  Raises:
    ValueError: for an address that is none or is not allowed, without the permission, or where the variable is unset.
  """
  parts = urllib.parse.urlsplit(source)
  if parts.scheme not in ("http", "https") or not parts.hostname:
    raise InputError(f"source is {source!r}; it must be the service's address, https://HOST/PATH")
  if parts.username or parts.password:
    raise InputError("source holds a password; give the Authorization header by token_variable instead")
  if not allow_sending_faces:
    raise InputError(
      f"faces would be sent to {source}; if that is meant and allowed, set allow_sending_faces=True beside the address"
    )
  if parts.scheme == "http" and not _on_this_machine(parts.hostname):
    raise InputError(f"faces would be sent readable for everybody on the way to {source}; use https")
  headers = {"Content-Type": "application/json", "Accept": "application/json"}
  if token_variable:
    if not os.environ.get(token_variable):
      raise InputError(f"the environment variable {token_variable} is not set; it must hold the Authorization header")
    headers["Authorization"] = os.environ[token_variable]
  path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
  kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
  port = parts.port

  def ask(images: np.ndarray):
    pictures = [base64.b64encode(image_files.to_png(image)).decode() for image in images]
    body = json.dumps({"images": pictures}).encode()
    deadline = time.monotonic() + timeout
    connection = kind(parts.hostname or "", port, timeout=timeout)
    try:
      connection.connect()
      with _hung_up_at(deadline, connection.sock):
        connection.request("POST", path, body, headers)
        status, text = _answer(connection)
    except (OSError, http.client.HTTPException) as error:
      raise Unavailable(f"{source}: {type(error).__name__}: {str(error) or f'no answer within {timeout} s'}") from error
    finally:
      connection.close()
    if status in _PASSING:
      raise Unavailable(f"{source} answered status {status}")
    if status != 200:
      raise ServiceFailed(f"{source} answered status {status}: {text[:200]!r}; see to address, token and service")
    return _read(source, text, len(images))

  return ask


@contextlib.contextmanager
def _hung_up_at(deadline, connected):
  """Ends what waits on the socket then: a server that sends a byte now and then does not hold a run up.

  Raises:
    TimeoutError: in place of what came of it.
  """
  late = threading.Event()

  def hang_up():
    late.set()
    with contextlib.suppress(OSError):  # the other side was a moment faster
      connected.shutdown(socket.SHUT_RDWR)

  watch = threading.Timer(max(deadline - time.monotonic(), 0), hang_up)
  watch.start()
  try:
    yield
  finally:
    watch.cancel()
    if late.is_set():
      raise TimeoutError


def _answer(connection):
  """(status, body)."""
  response = connection.getresponse()
  chunks, size = [], 0
  while chunk := response.read1(65536):
    chunks.append(chunk)
    size += len(chunk)
    if size > MAX_ANSWER:
      raise ServiceFailed(f"an answer longer than {MAX_ANSWER} bytes came; a service answers with numbers or labels")
  if response.length:  # read1 returns b"" when the other side hangs up early, too
    raise http.client.IncompleteRead(b"".join(chunks), response.length)
  return response.status, b"".join(chunks)


def _read(source, text, count):
  try:
    answers = json.loads(text)["answers"]
    complete = isinstance(answers, list) and len(answers) == count
  except (ValueError, KeyError, TypeError, RecursionError):
    raise Unavailable(f'{source} answered {text[:60]!r}, which is not JSON of the form {{"answers": [...]}}') from None
  if not complete:
    raise Unavailable(f"{source} answered to {len(answers) if isinstance(answers, list) else 'no'} of {count} images")
  return answers


def _on_this_machine(host):
  if host == "localhost":
    return True
  try:
    return ipaddress.ip_address(host).is_loopback
  except ValueError:
    return False
