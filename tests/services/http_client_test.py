"""The HTTP client: no face without both permissions, and every way in which a service fails."""

import socket

import numpy as np
import offering
import pytest

from qm_vae.services.answers import Quality
from qm_vae.services.black_box import CLIENTS, Asking, BlackBox, ServiceFailed, Unavailable

QUALITY = Quality("classes", offering.CLASSES)
IMAGES = np.random.default_rng(1).integers(0, 256, (4, 5, 5, 3), np.uint8)


@pytest.fixture(scope="module")
def server():
  with offering.serving() as (service, address):
    yield service, address


@pytest.fixture
def service(server):
  service, address = server
  service.mode, service.plan, service.requests, service.images, service.headers = "good", [], 0, 0, []
  return service, address


def box(address, *, retries=2, timeout=0.3, **options):
  client = CLIENTS["http"](address, allow_sending_faces=True, timeout=timeout, **options)
  return BlackBox("x", client, QUALITY, Asking(batch_size=2, retries=retries, backoff=0.0))


@pytest.mark.parametrize(
  ("source", "options", "message"),
  [
    ("ADDRESS", {}, "set allow_sending_faces=True"),
    ("ADDRESS", {"allow_sending_faces": False}, "set allow_sending_faces=True"),
    ("", {"allow_sending_faces": True}, "must be the service's address"),
    ("127.0.0.1:80", {"allow_sending_faces": True}, "must be the service's address"),
    ("http://example.org/", {"allow_sending_faces": True}, "use https"),
    ("http://user:secret@127.0.0.1/", {"allow_sending_faces": True}, "token_variable"),
    ("ADDRESS", {"allow_sending_faces": True, "token_variable": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE is not set"),
  ],
)
def test_http_client_no_face_leaves_without_address(service, monkeypatch, source, options, message):
  """No face leaves without address and permission."""
  seen, address = service
  monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("a connection was opened"))
  with pytest.raises(ValueError, match=message):
    CLIENTS["http"](source.replace("ADDRESS", address), **options)
  assert seen.requests == 0


def test_http_client_nothing_sent_before_first_question(service):
  """Nothing is sent before the first question."""
  seen, address = service
  asked = box(address, timeout=5.0)
  assert seen.requests == 0
  asked.ask(IMAGES)
  assert (seen.requests, seen.images) == (2, 4)


def test_http_client_faces_go_address_alone(service, monkeypatch):
  """Faces go to the address alone."""
  seen, address = service
  for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
  assert len(box(address, timeout=5.0).ask(IMAGES)) == 4  # no proxy on the way
  seen.mode = "moved"
  with pytest.raises(ServiceFailed, match="status 302"):
    box(address, timeout=5.0).ask(IMAGES)


def test_http_client_token_comes_environment(service, monkeypatch):
  """The token comes from the environment."""
  seen, address = service
  monkeypatch.setenv("SERVICE_TOKEN", "Bearer 123")
  box(address, timeout=5.0, token_variable="SERVICE_TOKEN").ask(IMAGES[:1])
  assert seen.headers[0]["Authorization"] == "Bearer 123"


@pytest.mark.parametrize("trouble", ["error", "malformed", "short", "cut", "hang"])
def test_http_client_pass_tried_again(service, trouble):
  """What may pass is tried again."""
  seen, address = service
  seen.plan = [trouble]
  found = box(address, timeout=0.3 if trouble in ("hang", "cut") else 5.0).ask(IMAGES[:2])
  np.testing.assert_allclose(found, offering.brightness(IMAGES[:2]), atol=1e-6)
  assert seen.requests == 2


@pytest.mark.parametrize(
  ("trouble", "message", "requests"),
  [
    ("error", "after 3 tries.*status 500", 3),
    ("malformed", "after 3 tries.*not JSON", 3),
    ("forbidden", "status 403", 1),
    ("other", "expected 1 x 2 numbers", 1),
  ],
)
def test_http_client_not_pass_ends_reason(service, trouble, message, requests):
  """What does not pass ends with the reason."""
  seen, address = service
  seen.mode = trouble
  with pytest.raises(ServiceFailed, match=message):
    box(address, timeout=5.0).ask(IMAGES[:1])
  assert seen.requests == requests == seen.images


def test_http_client_server_sends_byte_now_hung(service):
  """A server that sends a byte now and then is hung up."""
  seen, address = service
  seen.plan = ["trickle"]
  box(address).ask(IMAGES[:2])
  assert seen.hung_up.wait(10)
  with pytest.raises(Unavailable, match=r"TimeoutError: no answer within 0\.3 s"):
    seen.plan = ["trickle"]
    CLIENTS["http"](address, allow_sending_faces=True, timeout=0.3)(IMAGES[:2])


def test_http_client_nobody():
  """Nobody there."""
  with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
  with pytest.raises(ServiceFailed, match=f"127.0.0.1:{port}.*ConnectionRefusedError"):
    box(f"http://127.0.0.1:{port}/").ask(IMAGES)


def test_http_client_several_batches_once_spend_budget(service):
  """Several batches at once spend the budget exactly."""
  seen, address = service
  seen.mode = "slow"
  client = CLIENTS["http"](address, allow_sending_faces=True, timeout=5.0)
  asked = BlackBox("x", client, QUALITY, Asking(batch_size=1, concurrency=4, budget=3))
  with pytest.raises(ServiceFailed, match="budget allows"):
    asked.ask(IMAGES)
  assert seen.images == 3 == asked.sent
