"""Who gets anything of the review server: the page with the token, of this address, and nobody else."""

import http.client
import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from qm_vae.review import server, session

FACE = {"box": [10, 12, 20, 20], "score": 0.9, "hidden": True}


def write(folder, row=None):
  """A job of two pictures without running the detector, and a file beside it that is none of its."""
  for name in ("photos", "safe"):
    (folder / name).mkdir()
    for file in ("a.png", "b.png"):
      Image.fromarray(np.full((60, 80, 3), 90 if name == "safe" else 200, np.uint8)).save(folder / name / file)
  (folder / "secret.png").write_bytes((folder / "photos" / "a.png").read_bytes())
  files = [{"file": "a.png", "hidden": 1, "faces": [FACE], "notes": []}, {"file": "b.png", "hidden": 0, "faces": []}]
  files += [row] if row else []
  head = {"version": 1, "source": {"name": str(folder / "photos")}, "method": {"name": "solid"}, "files": files}
  command = f"python -m qm_vae.deidentify {folder / 'photos'} {folder / 'safe'}"
  (folder / "safe.json").write_text(json.dumps(head | {"command": command, "detector": {"threshold": 0.5}}))
  return folder / "safe.json"


@pytest.fixture
def served(tmp_path):
  made = server.Server(session.Session(write(tmp_path)))
  threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
  yield made
  made.shutdown()
  made.server_close()


def ask(served, path, method="GET", body=None, token=None, host=None, **headers):
  """(status, headers, bytes) of one request; `host` is what the request claims."""
  connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=10)
  connection.putrequest(method, f"/{served.token if token is None else token}/{path}", skip_host=True)
  headers = {"Host": host or f"127.0.0.1:{served.server_port}"} | {k.replace("_", "-"): v for k, v in headers.items()}
  content = None if body is None else json.dumps(body).encode()
  if content is not None:
    headers["Content-Length"] = str(len(content))
  for name, value in headers.items():
    connection.putheader(name, value)
  connection.endheaders(content)
  answer = connection.getresponse()
  result = answer.status, dict(answer.getheaders()), answer.read()
  connection.close()
  return result


def own(served):
  return {"Origin": f"http://127.0.0.1:{served.server_port}", "Content_Type": "application/json"}


GOOD = ("", "page.js", "job", "files/0", "files/0/faces?first=0&last=0", "files/0/protected/0?side=160", "audit")


@pytest.mark.parametrize("path", GOOD)
def test_server_answers_its_own_page(path, served):
  """The page with the token gets what it needs."""
  status, headers, content = ask(served, path)
  assert status == 200 and content
  assert "default-src 'none'" in headers["Content-Security-Policy"]
  assert "unsafe-eval" not in headers["Content-Security-Policy"]
  assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
  assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize(
  "changed",
  [
    {"token": ""},
    {"token": "x" * 32},
    {"token": "%00"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"host": "evil.example"},
    {"host": "127.0.0.1"},
    {"host": "evil.example:80@127.0.0.1"},
  ],
  ids=str,
)
def test_server_gives_others_nothing(path, changed, served):
  """Without the token, from another page, or under another name there is an empty 404, whatever is asked for."""
  status, headers, content = ask(served, path, **changed)
  assert (status, content) == (404, b"") and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
  "path",
  [
    "../secret.png",
    "..%2fsecret.png",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "files/../../secret.png",
    "files/0/protected/../../../secret.png",
    "files/0/original/..%2f..%2fsecret.png?side=160",
    "files/a.png",
    "index.html/../../server.py",
    "__init__.py",
    "page.css/",
    "files/0/protected/0/extra?side=160",
    "safe.json",
    "files/%D9%A0",
  ],
)
def test_server_knows_no_paths(path, served):
  """No path of the disk is a path of the server."""
  assert ask(served, path)[::2] == (404, b"")


@pytest.mark.parametrize(
  "path",
  [
    "files/2",
    "files/9999999",
    "files/0/protected/1?side=160",
    "files/0/protected/0?side=161",
    "files/0/protected/0",
    "files/0/protected/0?side=-1",
    "files/0/faces?first=0&last=1",
    "files/0/faces?first=1&last=0",
  ],
)
def test_server_names_what_there_is_not(path, served):
  """A file, frame or size that there is not is an error in words, not a picture."""
  status, headers, content = ask(served, path)
  assert status == 400 and headers["Content-Type"] == "application/json" and json.loads(content)["error"]


@pytest.mark.parametrize(
  ("method", "path", "body"),
  [
    ("PUT", "files/0", {"decisions": [], "seen": [], "revision": 0}),
    ("PUT", "signed", {"by": "A", "note": "", "revision": 0}),
    ("POST", "apply", {}),
  ],
)
def test_server_takes_changes_from_its_own_page_alone(method, path, body, served):
  """What changes anything needs the page's own origin and JSON, which no form of another page can send."""
  for headers in (
    {},
    {"Content_Type": "application/json"},
    {"Origin": own(served)["Origin"]},
    own(served) | {"Content_Type": "text/plain"},
    own(served) | {"Origin": "http://evil.example"},
  ):
    assert ask(served, path, method, body, **headers)[::2] == (404, b"")
  assert not served.session.saved.path.exists()
  assert ask(served, path, method, body, token="x", **own(served))[0] == 404
  assert ask(served, path, "DELETE", body, **own(served))[0] in (404, 501)
  assert not served.session.saved.path.exists() and not served.session.application.state()["running"]


def test_server_saves_and_refuses_what_is_outdated(served):
  """What is saved is in the review file, and a second window's older state does not replace it."""
  drop = {"action": "drop", "track": 1, "box": FACE["box"]}
  body = {"decisions": [drop], "seen": ["weak:1:0"], "revision": 0}
  status, _, content = ask(served, "files/0", "PUT", body, **own(served))
  assert status == 200 and json.loads(content)["revision"] == 1
  saved = json.loads(served.session.saved.path.read_text())
  assert saved["record"] == "safe.json" and saved["files"][0]["decisions"] == [drop]
  assert len(saved["files"][0]["sha256"]) == 64  # of the picture that was decided about
  assert ask(served, "files/0", "PUT", body, **own(served))[0] == 409
  for wrong in (
    {"decisions": [{"action": "drop", "track": 2}], "seen": []},
    {"decisions": 3, "seen": []},
    {"seen": [1]},
  ):
    assert ask(served, "files/0", "PUT", wrong | {"revision": 1}, **own(served))[0] == 400
  assert json.loads(served.session.saved.path.read_text()) == saved


def test_server_of_a_job_with_a_path_outside_refuses_it(tmp_path):
  """A record that names a file outside of its folder, by its name or by a link, is not opened."""
  sidecar = write(tmp_path, {"file": "../secret.png", "faces": []})
  with pytest.raises(ValueError, match="outside"):
    session.Session(sidecar)
  shutil.rmtree(tmp_path / "safe"), shutil.rmtree(tmp_path / "photos")
  sidecar = write(tmp_path, {"file": "c.png", "faces": []})
  (tmp_path / "safe" / "c.png").symlink_to(tmp_path / "secret.png")
  with pytest.raises(ValueError, match="outside"):
    session.Session(sidecar)


def test_server_says_nothing_of_a_browser_that_left(served, capsys):
  """A browser that no longer waits for a picture is no error; any other is told."""
  for error in (BrokenPipeError(), ConnectionResetError(), TimeoutError(), KeyError("a bug")):
    try:
      raise error
    except Exception:
      served.handle_error(None, ("127.0.0.1", 1))
    assert ("a bug" in capsys.readouterr().err) == isinstance(error, KeyError)


def test_server_listens_on_the_loopback_address_alone(served):
  """The socket is bound to 127.0.0.1, and the token is long and another one for every server."""
  assert served.server_address[0] == "127.0.0.1" and len(served.token) >= 32
  other = server.Server(served.session)
  assert other.token != served.token
  other.server_close()
