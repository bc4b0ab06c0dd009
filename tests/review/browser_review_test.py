"""The review page in a real browser: what is drawn, dropped and kept there is so in what is made, and saved."""

import http.server
import json
import pathlib
import re
import shutil
import threading

import drawn_clip
import numpy as np
import pytest
from PIL import Image

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
  assert "Reviewed and signed by A Reviewer" in pathlib.Path("out.mp4.html").read_text()


def test_review_moment_by_moment_by_keyboard(job, browser):
  """N goes through the doubtful moments with their tracks selected; what is saved, left and to be run is said."""
  record = json.loads(job.read_text())
  for row in record["frames"][4:7]:  # the cascade is never in doubt about drawn faces
    row["faces"][0]["score"] = 0.1
  job.write_text(json.dumps(record))
  with Reviewed(browser, job) as review:
    page, moments = review.page, review.server.session.job()["moments"]
    number = next(i for i, one in enumerate(moments) if one["track"])
    review.reads("left", "^Nothing is decided$")
    review.keys(*"n" * number)
    track = moments[number]["track"]
    review.reads("hint", f"^Track {track} is selected")
    review.reads("said", f"track {track} \\w+, hidden, selected")
    review.keys("d")
    review.reads("message", f"^track {track}: no face")
    review.reads("status", "^Saved in out.mp4.review.json")
    review.reads("left", "^1 change not applied yet$")
    assert "--review-file=" in page.locator("#command").text_content()
    review.keys("z")
    review.reads("left", "^Nothing is decided$")
    review.keys(*"n" * (len(moments) - number))
    review.reads("progress", f"^{len(moments)} of {len(moments)}")
    review.reads("message", "^That was the last doubtful moment. All are ticked off")
    review.keys("Escape", "d")
    review.reads("message", "^Select a face first")
    saves = len(moments) + 2  # every moment, a decision and its undoing
    for _ in range(500):
      if review.server.session.saved.revision == saves:
        break
      page.wait_for_timeout(20)
  (saved,) = json.loads(pathlib.Path("out.mp4.review.json").read_text())["files"]
  assert saved["decisions"] == [] and len(saved["seen"]) == len(moments)


def test_review_of_a_folder_in_one_sitting(browser, tmp_path, monkeypatch):
  """A picture without a found face comes first; what is drawn there and dropped elsewhere is so in the folder."""
  monkeypatch.chdir(tmp_path)
  _, missed, dropped, _ = drawn_clip.faces()
  names = {"b_found.png": dropped, "c_missed.png": missed[::-1], "a_other.png": dropped}
  pathlib.Path("photos").mkdir()
  for name, face in names.items():
    canvas = np.full((240, 320, 3), 190, np.uint8)
    canvas[60 : 60 + drawn_clip.SIDE, 100 : 100 + drawn_clip.SIDE] = face
    Image.fromarray(canvas).save(f"photos/{name}")
  assert program.main(["photos", "safe", "--detector=haar", "--min-size=24"]) == program.OK
  read = lambda name: np.asarray(Image.open(name)).astype(int)
  first = {name: pathlib.Path("safe", name).stat().st_mtime_ns for name in names}
  with Reviewed(browser, pathlib.Path("safe.json")) as review:
    assert review.page.locator("#file option:checked").text_content() == "c_missed.png"
    assert review.page.locator("#moments button").first.text_content().startswith("No face was found")
    review.drag((100, 60), (100 + drawn_clip.SIDE, 60 + drawn_clip.SIDE))
    review.reads("left", "^1 change")
    review.keys("n", "n")
    review.reads("said", "b_found.png")
    review.keys("1", "d")
    review.reads("left", "^2 changes")
    review.apply()
    review.reads("left", "^All decisions are applied")
  assert read("safe/c_missed.png")[60:156, 100:196].max() == 0
  assert (read("safe/b_found.png") == read("photos/b_found.png")).all()
  assert read("safe/a_other.png")[90:130, 130:170].max() == 0
  changed = {name for name in names if pathlib.Path("safe", name).stat().st_mtime_ns != first[name]}
  assert changed == {"b_found.png", "c_missed.png"}


EVIL = """<!doctype html><body><script>
window.got = [];
const seen = (what) => window.got.push(what);
async function attempt(what, make) {
  try { seen(`${what}: ${await make()}`); } catch (error) { seen(`${what}: nothing`); }
}
const element = (name, at) => new Promise((done) => {
  const made = document.createElement(name);
  made.onload = () => done(name === "iframe" && !made.contentDocument ? "nothing" : "loaded");
  made.onerror = () => done("nothing");
  made.src = at;
  document.body.append(made);
});
window.run = async (address) => {
  await attempt("read", async () => (await fetch(address + "job")).text());
  await attempt("picture", () => element("img", address + "files/0/protected/0?side=160"));
  await attempt("script", () => element("script", address + "page.js"));
  await attempt("frame", () => element("iframe", address));
  const content = { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: "{}" };
  await attempt("change", async () => (await fetch(address + "apply", content)).status || "nothing");
  return window.got;
};
</script>"""


class _Evil(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(200)
    self.send_header("Content-Type", "text/html")
    self.end_headers()
    self.wfile.write(EVIL.encode())

  def log_message(self, format, *args):
    pass


def test_review_gives_nothing_to_another_origin_that_has_the_address(job, browser):
  """A page of another port of this machine that knows the token, too, reads, shows, runs and changes nothing."""
  other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
  threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
  with Reviewed(browser, job) as review:
    page = browser.new_page()
    try:
      page.goto(f"http://127.0.0.1:{other.server_port}/")
      got = page.evaluate("(address) => window.run(address)", review.server.address)
    finally:
      page.close()
      other.shutdown()
      other.server_close()
    assert [one.partition(": ") for one in got] == [
      (what, ": ", "nothing") for what in ("read", "picture", "script", "frame", "change")
    ]
    assert not review.server.session.application.state()["running"] and not pathlib.Path("out.mp4.review.json").exists()


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
