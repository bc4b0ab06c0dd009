"""The page, in Gradio: nothing is sent anywhere, nothing is kept once the program ends."""

import os
import pathlib

# Read when Gradio is imported: no statistics, no question after newer versions, no list of runs in the browser.
os.environ |= {
  "GRADIO_ANALYTICS_ENABLED": "False",
  "GRADIO_RUN_HISTORY": "False",
  "GRADIO_SHARE": "False",
  "HF_HUB_OFFLINE": "1",
  "HF_HUB_DISABLE_TELEMETRY": "1",
}

import gradio
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from qm_vae import types
from qm_vae.demo import comparing
from qm_vae.io import images

HOST = "127.0.0.1"

_TITLE = "Faces, hidden by each method"
_WORDS = f"""
# {_TITLE}

Upload a picture, or take a drawn one. Every face that is found is hidden by each method. The picture stays on this
machine and is removed when the program ends. A face that no detector finds stays visible.
"""
_FONTS = ("system-ui", "sans-serif")
_MONOSPACED = ("ui-monospace", "monospace")
_LARGEST = "32mb"  # of an upload
_COLUMNS = 4
# Gradio's page has scripts and styles in its text, and workers of its own making.
_POLICY = (
  "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; object-src 'none'; "
  "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def build(compare: comparing.Comparison, examples: list[str]) -> gradio.Blocks:
  """The page.

  Args:
    compare: hides the faces of a picture.
    examples: paths of pictures to begin with.
  """
  with gradio.Blocks(title=_TITLE, analytics_enabled=False) as page:
    gradio.Markdown(_WORDS)
    with gradio.Row():
      with gradio.Column(scale=1, min_width=260):
        picture = gradio.Image(
          label="Picture", type="filepath", sources=["upload", "clipboard"], buttons=[], elem_id="picture"
        )
        hide = gradio.Button("Hide the faces", variant="primary", elem_id="hide")
        gradio.Examples(examples, picture, label="Drawn people; nobody is real", cache_examples=False)
      with gradio.Column(scale=3):
        found = gradio.Markdown(elem_id="found")
        made = gradio.Gallery(
          label="Original and each method",
          show_label=False,
          columns=_COLUMNS,
          object_fit="contain",
          height="auto",
          format="png",
          interactive=False,
          buttons=["download", "fullscreen"],
          elem_id="made",
        )
        notes = gradio.Markdown(elem_id="notes")
    hide.click(lambda path: _shown(compare, path), picture, [made, found, notes], api_visibility="private")
  return page


def _shown(compare, path):
  """(pictures with captions, how many faces were found, what to know of the methods) of an uploaded file."""
  if not path:
    raise gradio.Error("There is no picture yet: upload one, or take a drawn one.", print_exception=False)
  try:
    image = images.read_image(path, pathlib.Path(path).name)
  except types.UnreadableImage as error:
    raise gradio.Error(str(error), print_exception=False) from None
  done = compare(image)
  pictures = [(image, "original"), *((one.image, one.method) for one in done.hidden if one.image is not None)]
  count = {0: "No face was found: every picture below is as you gave it.", 1: "1 face was found."}
  notes = [f"`{one.method}` failed: {one.error}" for one in done.hidden if one.error]
  if weak := [f"`{one.method}`" for one in done.hidden if one.recognisable]:
    notes.append(f"Face recognition still names many people after {', '.join(weak)} (docs/results.md).")
  return pictures, count.get(done.faces, f"{done.faces} faces were found."), "\n\n".join(notes)


def serve(page: gradio.Blocks, port: int | None = None) -> str:
  """Serves the page in threads of its own, on the loopback address; returns the address.

  Args:
    page: see `build`.
    port: of the loopback address; None: one that is free.

  Raises:
    OSError: where the port is taken.
  """
  guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(_Policy)]
  theme = gradio.themes.Default(font=_FONTS, font_mono=_MONOSPACED)
  _, address, _ = page.launch(
    server_name=HOST,
    server_port=port,
    share=False,
    prevent_thread_lock=True,
    inbrowser=False,
    quiet=True,
    footer_links=[],
    max_file_size=_LARGEST,
    ssr_mode=False,
    pwa=False,
    mcp_server=False,
    enable_monitoring=False,
    strict_cors=True,
    theme=theme,
    app_kwargs={"middleware": guards, "docs_url": None, "redoc_url": None},
  )
  return address


class _Policy:
  """Middleware: the browser loads nothing from anywhere else, and no other page frames this one."""

  def __init__(self, app):
    self._app = app

  async def __call__(self, scope, receive, send):
    async def with_policy(message):
      if message["type"] == "http.response.start":
        message["headers"] = [
          *message["headers"],
          (b"content-security-policy", _POLICY.encode()),
          (b"referrer-policy", b"no-referrer"),
          (b"x-content-type-options", b"nosniff"),
        ]
      await send(message)

    await self._app(scope, receive, with_policy)
