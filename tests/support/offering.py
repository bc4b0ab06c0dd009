"""Services for the tests: functions, an ONNX file, and an HTTP server on loopback that misbehaves on request."""

import base64
import contextlib
import http.server
import io
import json
import threading
import time

import numpy as np
from PIL import Image

CLASSES = ("dark", "bright")


def brightness(images, *, checkpoint=""):
  """Probabilities of CLASSES: the mean grey level."""
  mean = np.asarray(images, np.float64).mean((1, 2, 3)) / 255
  return np.stack([1 - mean, mean], 1)


def labels(images):
  """The same as labels by name."""
  return [CLASSES[int(one)] for one in brightness(images).argmax(1)]


def breaks(images):
  """A user's function with a mistake in it."""
  raise KeyError("weights")


def refuses(images):
  """A user's function that reaches its own service in vain."""
  raise ConnectionRefusedError("nobody listens")


NOT_CALLABLE = 3


def _varint(value):
  low, value = value & 127, value >> 7
  return bytes([low | 128]) + _varint(value) if value else bytes([low])


def _field(number, value):
  """One field of a protocol buffer, of which an ONNX file is made."""
  if isinstance(value, int):
    return _varint(number << 3) + _varint(value)
  value = value.encode() if isinstance(value, str) else value
  return _varint(number << 3 | 2) + _varint(len(value)) + value


def _tensor(name, shape):
  sides = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in shape)
  return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sides)))  # element type 1: float


def write_onnx(path):
  """A file that answers with its input: 1 x 2 grey pixels in [0, 1], the means of the left and the right half."""
  node = _field(1, "input") + _field(2, "flat") + _field(4, "Flatten")
  graph = _field(1, node) + _field(2, "g") + _field(11, _tensor("input", ["n", 1, 1, 2]))
  graph += _field(12, _tensor("flat", ["n", 2]))
  model = _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))
  for key, value in {"input_range": "0..1", "input_layout": "NCHW"}.items():
    model += _field(14, _field(1, key) + _field(2, value))
  path.write_bytes(model)
  return str(path)


class Service:
  """An HTTP service on loopback. `plan` gives what the next requests get: a mode each, then `mode` for the rest."""

  def __init__(self, answer=brightness):
    self.answer, self.mode, self.plan = answer, "good", []
    self.requests, self.images, self.headers = 0, 0, []
    self.hung_up = threading.Event()  # the client ended a "trickle" before it was over

  def next_mode(self):
    return self.plan.pop(0) if self.plan else self.mode


@contextlib.contextmanager
def serving(answer=brightness):
  """(Service, address), served until the end of the block."""
  service = Service(answer)

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["images"]
      images = np.stack([np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in sent])
      service.requests += 1
      service.images += len(images)
      service.headers.append(dict(self.headers))
      mode = service.next_mode()
      if mode == "hang":
        time.sleep(1.0)
        return
      if mode == "slow":
        time.sleep(0.05)
      if mode == "trickle":
        try:
          for byte in b"HTTP/1.0 200 OK\r\nX: " + 100 * b"x":
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)
        except OSError:
          service.hung_up.set()
        return
      body = json.dumps({"answers": np.asarray(service.answer(images)).tolist()})
      spoilt = {"short": '{"answers": [[0.5, 0.5]]}', "other": '{"answers": [[0.2, 0.3, 0.5]]}', "malformed": body[:-9]}
      body = spoilt.get(mode, body)
      self.send_response({"error": 500, "forbidden": 403, "moved": 302}.get(mode, 200))
      if mode == "moved":
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
      self.send_header("Content-Length", str(len(body) + (100 if mode == "cut" else 0)))
      self.end_headers()
      self.wfile.write(body.encode())

    def log_message(self, *arguments):
      pass

  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  server.daemon_threads = True
  threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
  try:
    yield service, f"http://127.0.0.1:{server.server_address[1]}/answer"
  finally:
    server.shutdown()
    server.server_close()
