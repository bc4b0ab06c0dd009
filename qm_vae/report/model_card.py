"""The model card of an exported run, in Markdown, with the headings of Mitchell et al. 2019 (Model Cards for Model
Reporting). Its words are in model_card.md."""

import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jinja2

from qm_vae.data import DATASETS
from qm_vae.experiments import schema
from qm_vae.io import run_folder
from qm_vae.options import trait
from qm_vae.report import card_tables, drawing, files, tables

_UNKNOWN_TERMS = "this software does not know its terms"
_UNKNOWN = "Anybody who must stay unknown: "


def of_run(
  run: pathlib.Path, name: str, config: Any, index: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]
) -> str:
  """The card of an export of the run in the folder `run`; see `card`.

  Raises:
    ValueError: where provenance.json or report.json is damaged.
  """
  provenance, report, why_not = run_folder.read_provenance(run), None, ""
  if (run / files.RUN.numbers).exists():
    report, _ = files.read(run)
  again = "`python -m qm_vae.evaluate RUN` measures it; then export the run again."
  if report is None:
    why_not = f"The run has no report. {again}"
  elif (report.get("training") or {}).get("steps") != index["step"]:
    report, why_not = None, f"The run's report is of another training step. {again}"
  return card(name, config.to_dict(), index, provenance, networks, report, why_not)


def card(
  name: str,
  config: Mapping[str, Any],
  index: Mapping[str, Any],
  provenance: Mapping[str, Any],
  networks: Mapping[str, Mapping[str, Any]],
  report: Mapping[str, Any] | None,
  why_not: str = "",
) -> str:
  """The card as Markdown; whatever was not measured is said to be so.

  Args:
    name: of the exported file.
    config: of the run, nested, with no path of this machine in it.
    index: export.json of the file.
    provenance: provenance.json of the run.
    networks: {name: network.json} of the networks in the file.
    report: report.json of the run; None where there is none of this state.
    why_not: why there is none.
  """
  measured = report or {}
  data, seen = config["data"], measured.get("data") or {}
  readers = [
    ("Service, in the loss", measured.get("service")),
    *(("Judge", one) for one in measured.get("judges") or ()),
  ]
  return _template().render(
    name=_plain(name),
    index=index,
    views=", ".join(f"`{_plain(view)}`" for view in config["views"]),
    size=config["image_size"],
    changed=_changed(config),
    recognised=recognised(measured),
    provenance=provenance,
    test=_faces(data["name"], seen.get("test")),
    train=_faces(data["name"], seen.get("train")),
    split=tables.split(seen) if seen else f"by {_plain(data['split'])}",
    recognisers=[f"{role}: {_recogniser(one)}" for role, one in readers if one],
    report=report,
    why_not=why_not,
    methods=card_tables.methods(measured),
    expressions=card_tables.expressions(measured),
    privacy=card_tables.privacy(measured),
    networks=networks,
    others={one: digest for one, digest in provenance["networks"].items() if one not in networks},
  )


def own_digest(path: str | os.PathLike) -> str:
  """The line with the digest of the file that a card lies beside."""
  with open(path, "rb") as file:
    return f"\nSHA-256 of the file itself: `{hashlib.file_digest(file, 'sha256').hexdigest()}`\n"


def recognised(report: Mapping[str, Any]) -> str:
  """A sentence on those who should not be hidden because attackers recognised them, or because nobody tried to."""
  privacy = report.get("privacy")
  if not privacy:
    return f"{_UNKNOWN}**nobody measured who is still recognised.**"
  if (privacy.get("controls") or {}).get("void"):
    return f"{_UNKNOWN}**the measurement of privacy is void**, since a control failed."
  head = tables.method(privacy, "qm_vae").get("headline") or {}
  rate = head.get("rank_1") or {}
  if rate.get("value") is None:
    return f"{_UNKNOWN}**no attacker could be tried.**"
  found = f"the strongest attacker tried recognised {card_tables.percent(rate)} among {head['people']} people"
  guess = card_tables.percent({"value": head.get("chance")})
  if rate.get("low") is not None and rate["low"] > head["chance"]:
    return f"{_UNKNOWN}**{found}**; guessing recognises {guess}."
  return f"Anybody who must be safe from stronger attackers: {found}, which cannot be told from guessing ({guess})."


@functools.cache
def _template():
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=False,  # Markdown; `plain` takes away what would steer it
    undefined=jinja2.ChainableUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  environment.filters["plain"] = lambda value: _plain(value or "not stated")
  return environment.get_template("model_card.md")


def _changed(config):
  """{key: value} of the keys that differ from their defaults and hold something."""
  normal = lambda value: list(value) if isinstance(value, tuple) else value
  flat, usual = schema.flatten(config), schema.flatten(schema.plain(schema.Config()))
  changed = {key: normal(value) for key, value in sorted(flat.items()) if normal(usual.get(key)) != normal(value)}
  words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in changed.items()}
  return {_plain(key): _plain(value) for key, value in words.items() if value not in ("", "[]")}


def _faces(name, side):
  counts = ""
  if side:
    people = f" of {side['identities']} people" if side.get("identities") else ""
    counts = f"{side['n']} faces{people}. "
  known = trait(DATASETS[name], "terms", _UNKNOWN_TERMS) if name in DATASETS.names() else _UNKNOWN_TERMS
  return f"{counts}Dataset `{_plain(name)}`: {known}."


def _recogniser(one):
  source, accuracy = _plain(one.get("source") or "of unknown origin"), card_tables.percent(one.get("accuracy"))
  return f"`{_plain(one['architecture'])}`, {source}; accuracy on the test faces {accuracy}"


def _plain(value):
  """Text that steers neither Markdown's tables nor a terminal."""
  return drawing.visible(str(value)).replace("|", "/").replace("`", "'").replace("<", "(").replace(">", ")")
