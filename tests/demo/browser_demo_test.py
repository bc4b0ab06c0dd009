"""The demo in a real browser: what is uploaded is shown hidden by each method, and nothing goes outside."""

import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
import untrained_run
from PIL import Image

from qm_vae import export
from qm_vae.demo import comparing

pytest.importorskip("gradio", reason="requirements-demo.txt is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="requirements-test.txt is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is on the path")]

ROOT = pathlib.Path(__file__).parents[2]
METHODS = ("solid", "mosaic:block=8", "aligned_mean", "warped_mean")
MINUTES = 3 * 60_000  # milliseconds: seven methods compile, on a busy machine

# Runs the program, and notes every address that it asks for or connects to.
PROGRAM = """
import runpy, sys
notes = open(sys.argv.pop(1), "a", buffering=1)
def hook(event, arguments):
  if event == "socket.getaddrinfo":
    notes.write(f"{arguments[0]}\\n")
  elif event == "socket.connect" and isinstance(arguments[1], tuple):
    notes.write(f"{arguments[1][0]}\\n")
sys.addaudithook(hook)
runpy.run_module("qm_vae.demo", run_name="__main__", alter_sys=True)
"""

# The address that the page's policy keeps a script from asking.
ELSEWHERE = """new Promise((done) => {
  document.addEventListener("securitypolicyviolation", (event) => done(event.blockedURI), { once: true });
  fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => done("not forbidden"), 1000));
})"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
  """(address, notes of what the program asked for, its temporary folder, process) of a demo with an exported run."""
  folder = tmp_path_factory.mktemp("demo")
  for name in ("run", "scratch", "cache"):
    (folder / name).mkdir()
  untrained_run.write(folder / "run")
  assert export.main([str(folder / "run"), str(folder / "run.zip")]) == 0
  given = [f"--method={name}" for name in (*METHODS, folder / "run.zip")]
  environment = os.environ | {
    "TMPDIR": str(folder / "scratch"),
    "XDG_CACHE_HOME": str(folder / "cache"),
    "JAX_ENABLE_COMPILATION_CACHE": "true",
    "PYTHONPATH": str(ROOT),
  }
  started = subprocess.Popen(
    [sys.executable, "-c", PROGRAM, str(folder / "asked"), "--detector=haar", *given],
    cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=(folder / "stderr").open("w"), text=True,
  )  # fmt: skip
  try:
    assert started.stdout
    lines = iter(started.stdout.readline, "")
    address = next((line.strip() for line in lines if line.startswith("http")), "")
    assert address, (folder / "stderr").read_text()
    yield address, folder / "asked", folder / "scratch", started
  finally:
    started.kill()
    started.wait()


@pytest.fixture
def page(demo):
  """The opened page; afterwards no script failed and nothing outside was asked for."""
  with playwright.sync_playwright() as running:
    # Chromium's own sandbox needs rights that root in a container lacks; it loads nothing but our page.
    browser = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
    opened = browser.new_page(viewport={"width": 1300, "height": 900})
    failed, asked = [], []
    opened.on("pageerror", lambda error: failed.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(demo[0])
    yield opened
    browser.close()
  hosts = {urllib.parse.urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
  assert not failed and hosts == {urllib.parse.urlsplit(demo[0]).netloc}


def shown(page):
  """{caption: uint8 [H, W, 3]} of the pictures in the gallery."""
  playwright.expect(page.locator("#found")).to_contain_text("found", timeout=MINUTES)
  items = page.locator("#made button:has(img)")
  playwright.expect(items.first).to_be_visible()
  made = {}
  for item in items.all():
    answer = page.request.get(item.locator("img").get_attribute("src"))
    made[item.text_content().strip()] = np.asarray(Image.open(io.BytesIO(answer.body())).convert("RGB"))
  return made


def test_demo_hides_an_uploaded_picture_by_each_method(page, tmp_path):
  """The original and each method's picture stand side by side, and only the face differs."""
  picture = comparing.drawn_people(3, 1)[0].image
  Image.fromarray(picture).save(tmp_path / "mine.png")
  page.locator("#picture input[type=file]").set_input_files(tmp_path / "mine.png")
  playwright.expect(page.locator("#picture img")).to_be_visible()
  page.locator("#hide").click()
  made = shown(page)
  assert [*made][:-1] == ["original", *METHODS] and [*made][-1].endswith("run.zip")
  np.testing.assert_array_equal(made.pop("original"), picture)
  assert not made["solid"][90:110, 80:110].any()
  for name, one in made.items():
    changed = (one != picture).any(-1)
    assert one.shape == picture.shape and changed[80:120, 70:120].mean() > 0.5 and not changed[-5:].any(), name
  playwright.expect(page.locator("#found")).to_have_text("1 face was found.")
  playwright.expect(page.locator("#notes")).to_contain_text("warped_mean")
  assert "solid" not in page.locator("#notes").text_content()


def test_demo_example_and_empty_page(page):
  """Without a picture the button says what to do; a drawn example is one click away."""
  page.locator("#hide").click()
  playwright.expect(page.get_by_text("There is no picture yet")).to_be_visible(timeout=MINUTES)
  page.locator(".gallery-item img, .gallery img").first.click()
  playwright.expect(page.locator("#picture img")).to_be_visible()
  page.locator("#hide").click()
  assert len(shown(page)) == 2 + len(METHODS)


def test_demo_says_why_a_file_cannot_be_read(page, tmp_path):
  """A damaged picture is answered on the page, and nothing is shown."""
  Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "whole.png")
  (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
  page.locator("#picture input[type=file]").set_input_files(tmp_path / "half.png")
  page.wait_for_timeout(500)
  page.locator("#hide").click()
  playwright.expect(page.locator(".toast-body")).to_contain_text("half.png", timeout=MINUTES)
  assert page.locator("#made img").count() == 0


def test_demo_serves_this_machine_and_the_page_alone(page, demo):
  """Another host name, files of the disk, and other origins get nothing; the page's policy forbids other addresses."""
  address = demo[0]
  get = page.request.get
  assert get(address, headers={"Host": "somewhere.example"}).status == 400
  for path in ("/etc/hostname", str(ROOT / "pyproject.toml")):
    assert get(f"{address}gradio_api/file={path}").status == 403
  answer = get(address, headers={"Origin": "http://somewhere.example"})
  assert "access-control-allow-origin" not in answer.headers
  assert "default-src 'self'" in answer.headers["content-security-policy"]
  settings = json.loads(page.evaluate("JSON.stringify(window.gradio_config)"))
  assert settings["analytics_enabled"] is False
  assert page.evaluate(ELSEWHERE) == "http://127.0.0.1:9/"


def test_demo_asks_nobody_and_leaves_nothing(demo):
  """The program looked up and reached this machine alone, and its uploads are gone when it has ended."""
  _, asked, scratch, process = demo
  assert any(scratch.rglob("*.png"))
  process.send_signal(signal.SIGTERM)
  assert process.wait(60) == 0
  hosts = set(asked.read_text().split())
  assert "127.0.0.1" in hosts and hosts <= {"127.0.0.1", "localhost", "::1", "None"}
  assert not list(scratch.glob("qm_vae_demo_*"))
