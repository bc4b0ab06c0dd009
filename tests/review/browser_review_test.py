"""The review page in a real browser: what is drawn, dropped and kept there is so in what is made, and saved."""

import json
import pathlib
import re
import shutil
import threading

import drawn_clip
import numpy as np
import pytest

from qm_vae.deidentify import __main__ as program
from qm_vae.review import server, session

pytest.importorskip("av", reason="requirements-video.txt is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="requirements-test.txt is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is on the path")

DARK = 45  # grey levels: solid is black, and H.264 leaves some noise and a dark edge
NEAR = 12  # grey levels, mean: what two encodings change of what nobody hid


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A folder with the drawn clip, protected once for all tests."""
  folder = tmp_path_factory.mktemp("made")
  drawn_clip.write(folder / "in.mp4")
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    assert program.main(["in.mp4", "out.mp4", "--detector=haar", "--min-size=24"]) == program.OK
  return folder


@pytest.fixture
def job(made, tmp_path, monkeypatch):
  """A copy of it, whose command holds in the folder in which it lies."""
  shutil.copytree(made, tmp_path, dirs_exist_ok=True)
  monkeypatch.chdir(tmp_path)
  return tmp_path / "out.mp4.json"


@pytest.fixture(scope="module")
def browser():
  with playwright.sync_playwright() as started:
    # Chromium's own sandbox needs rights that root in a container lacks; it loads nothing but our page.
    opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
    yield opened
    opened.close()


class Reviewed:
  """The page of one job, opened."""

  def __init__(self, browser, sidecar):
    self.server = server.Server(session.Session(sidecar))
    threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
    self.page = browser.new_page(viewport={"width": 1300, "height": 900})
    self.errors = []
    self.page.on("pageerror", lambda error: self.errors.append(str(error)))
    self.page.goto(self.server.address)
    self.reads("progress", r"moments looked at")

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.page.close()
    self.server.shutdown()
    self.server.server_close()
    assert not self.errors

  def reads(self, name, text, timeout=10_000):
    """Waits until an element reads so."""
    playwright.expect(self.page.locator(f"#{name}")).to_contain_text(re.compile(text), timeout=timeout)

  def keys(self, *keys):
    for key in keys:
      self.page.keyboard.press(key)

  def go(self, frame):
    self.keys("Home", *["."] * frame)
    self.reads("clock", f"^{frame} of")

  def at(self, x, y):
    """Where a pixel of the picture is on the page."""
    box = self.page.locator("#boxes").bounding_box()
    return box["x"] + x / drawn_clip.WIDTH * box["width"], box["y"] + y / drawn_clip.HEIGHT * box["height"]

  def drag(self, start, end):
    self.page.mouse.move(*self.at(*start))
    self.page.mouse.down()
    self.page.mouse.move(*self.at(*end), steps=4)
    self.page.mouse.up()

  def track_at(self, place):
    """The number of the track over a face, in the frame that is shown."""
    middle = np.array(place) + drawn_clip.SIDE / 2
    for rect in self.page.locator("#boxes rect[data-track]").all():
      x, y, width, height = (float(rect.get_attribute(name)) for name in ("x", "y", "width", "height"))
      if x < middle[0] < x + width and y < middle[1] < y + height:
        return int(rect.get_attribute("data-track"))
    raise AssertionError(f"no box is at {place}")

  def select(self, track):
    self.page.get_by_role("button", name=f"Select track {track}").click()

  def apply(self):
    self.page.get_by_role("button", name="Apply decisions").click()
    self.reads("status", "^Applied", timeout=120_000)
    assert self.page.locator("#alert").is_hidden()


def by_mouse(review):
  """Draws over the missed face, and moves the region to where it is in the last frame of the shot."""
  side, (x, y), (x_1, y_1) = drawn_clip.SIDE, drawn_clip.missed_at(0), drawn_clip.missed_at(drawn_clip.CUT - 1)
  review.go(0)
  review.drag((x, y), (x + side, y + side))
  review.keys(*["."] * (drawn_clip.CUT - 1))
  review.reads("clock", f"^{drawn_clip.CUT - 1} of")
  grip = x + 8, y + side - 8  # where no other box lies
  review.drag(grip, (grip[0] + x_1 - x, grip[1] + y_1 - y))


def by_keyboard(review):
  """The same without a mouse: the new region is 48 pixels wide, in the middle of the picture."""
  side, (x, y), (x_1, _) = drawn_clip.SIDE, drawn_clip.missed_at(0), drawn_clip.missed_at(drawn_clip.CUT - 1)
  review.go(0)
  left, down = (drawn_clip.WIDTH - 48) // 2 - x, y - (drawn_clip.HEIGHT - 48) // 2
  review.keys("a", *["Shift+ArrowRight", "Shift+ArrowDown"] * ((side - 48) // 8))
  review.keys(*["ArrowLeft"] * (left // 8), *["Control+ArrowLeft"] * (left % 8))
  review.keys(*["ArrowDown"] * (down // 8), *["Control+ArrowDown"] * (down % 8), "Enter")
  review.keys(*["."] * (drawn_clip.CUT - 1))
  review.reads("clock", f"^{drawn_clip.CUT - 1} of")
  review.keys("e", *["ArrowRight"] * ((x_1 - x) // 8), *["Control+ArrowRight"] * ((x_1 - x) % 8), "Enter")


def part(frame, place, inset=0):
  x, y = place
  return frame[y + inset : y + drawn_clip.SIDE - inset, x + inset : x + drawn_clip.SIDE - inset].astype(int)


@pytest.mark.parametrize("draw", [by_mouse, by_keyboard])
def test_review_in_a_browser_from_end_to_end(draw, job, browser):
  """A missed face is drawn and gone, a false box dropped, one person kept, the next hidden; all is there again."""
  before = drawn_clip.read("in.mp4")
  made = drawn_clip.read("out.mp4")
  first = drawn_clip.CUT // 2
  assert part(made[0], drawn_clip.missed_at(0))[:, :60].mean() > DARK  # missed
  for place in (drawn_clip.KEPT, drawn_clip.DROPPED):
    assert part(made[first], place, 30).max() < DARK
  with Reviewed(browser, job) as review:
    review.go(0)
    kept, dropped = (review.track_at(place) for place in (drawn_clip.KEPT, drawn_clip.DROPPED))
    draw(review)
    review.keys("Escape")
    review.go(0)
    review.select(dropped)
    review.keys("d")
    review.page.get_by_label(f"Track {kept}: what is done").select_option("keep")
    review.apply()
  decided = json.loads(pathlib.Path("out.mp4.review.json").read_text())["files"][0]["decisions"]
  assert sorted(row["action"] for row in decided) == ["add", "drop", "keep"]
  made = drawn_clip.read("out.mp4")
  assert len(made) == drawn_clip.COUNT
  for n, frame in enumerate(made):
    if n < drawn_clip.CUT:
      assert part(frame, drawn_clip.missed_at(n), 2).max() < DARK, n
      for place in (drawn_clip.KEPT, drawn_clip.DROPPED):
        assert abs(part(frame, place)[:60] - part(before[n], place)[:60]).mean() < NEAR, n
    else:
      assert part(frame, drawn_clip.NEXT, 30).max() < DARK, n
  record = json.loads(job.read_text())
  assert record["review"]["faces"] == "those of the earlier pass"
  with Reviewed(browser, job) as review:
    texts = review.page.locator("#decided li button:first-child").all_text_contents()
    assert len(texts) == 3 and f"track {dropped}: no face" in texts and f"track {kept}: kept visible" in texts
    assert any(text.startswith("region hidden, frames 0 to") for text in texts)
    assert review.page.get_by_role("button", name="Apply decisions").is_disabled()  # all is applied
    review.keys("n")
    review.reads("progress", "^1 of")
    review.page.get_by_label("Name").fill("A Reviewer")
    review.page.get_by_role("button", name="I looked this job through").click()
    review.reads("signed", "^Signed by A Reviewer")
  assert "Looked through and signed by A Reviewer" in pathlib.Path("out.mp4.html").read_text()


def test_review_page_shows_originals_only_on_request(job, browser):
  """No original is asked for until somebody presses the button, and then it says so."""
  with Reviewed(browser, job) as review:
    asked = []
    review.page.on("request", lambda request: asked.append(request.url))
    review.keys("n", "p", ".", ",")
    review.page.wait_for_timeout(300)
    assert any("/protected/" in url for url in asked) and not any("/original/" in url for url in asked)
    with review.page.expect_response(lambda response: "/original/" in response.url) as answer:
      review.keys("o")
    assert answer.value.ok
    review.reads("shown", "^Original$")
    assert all(url.startswith(review.server.address) for url in asked)


def test_review_page_has_names_for_a_screen_reader(job, browser):
  """Every control has a name, the frame is said in words, and Tab reaches the picture and the lists."""
  with Reviewed(browser, job) as review:
    review.go(3)
    review.reads("said", "frame 3 of")
    assert "track 1 found, hidden" in review.page.locator("#said").text_content()
    nameless = review.page.evaluate(
      """() => [...document.querySelectorAll('button, select, input, textarea')].filter(one => one.checkVisibility() &&
      !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length)).map(one => one.outerHTML)"""
    )
    assert nameless == []
    reached = set()
    for _ in range(60):
      review.keys("Tab")
      reached.add(review.page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id"))
    assert {"stage", "slider", "moments", "here", "audit", "play"} <= reached
