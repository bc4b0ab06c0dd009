"""Answers of black boxes."""

import json

import numpy as np

from hostile.spoiling import any_file, json_file
from hostile.verdicts import Kind


def _http(folder):
  (folder / "answer").write_text(json.dumps({"answers": [[0.1, 0.9], [0.5, 0.5]]}))


def _read_http(folder):
  from qm_vae.services import black_box, http
  from qm_vae.services.answers import Quality

  text = (folder / "answer").read_bytes()
  client = lambda images: http._read("https://answer", text, len(images))
  box = black_box.BlackBox("answer", client, Quality("classes", ("a", "b")), black_box.Asking(retries=0))
  try:
    box.ask(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3))
  finally:
    box.close()


def _answers(folder):
  (folder / "answers.jsonl").write_text("".join(json.dumps([str(i), [0.1, 0.9]]) + "\n" for i in range(4)))
  (folder / "ledger.sent").write_text("3\n4\n")


def _read_answers(folder):
  from qm_vae.services import black_box
  from qm_vae.services.answers import Quality

  paths = {"answers": folder / "answers.jsonl", "ledger": folder / "ledger.sent"}
  black_box.BlackBox("x", lambda images: images, Quality("classes", ("a", "b")), **paths).close()


KINDS = {
  "answer over HTTP": Kind(_http, json_file("answer"), _read_http),
  "kept answers": Kind(_answers, any_file("answers.jsonl", "ledger.sent"), _read_answers),
}
"""By name."""
