"""Measures privacy and utility of the pictures of any tool; see qm_vae/audit/__main__.py."""

import argparse
import dataclasses
import datetime
import json

import numpy as np

from qm_vae import embedders
from qm_vae.audit import matching, people, yardstick
from qm_vae.audit import pairs as paired_faces
from qm_vae.audit.options import NOT_JUDGED, OK, REFUSED, VOID
from qm_vae.data import split
from qm_vae.errors import InputError
from qm_vae.faces import cropping
from qm_vae.io import cache, progress, records, run_folder
from qm_vae.io.environment import environment
from qm_vae.landmarkers import finding, instruments
from qm_vae.privacy import end_to_end, measure, protocol, training
from qm_vae.report import audit_page

VERSION = 1
METHOD = "protected"
_CASES = 8  # pictures of the best and of the worst cases


def audit(options: argparse.Namespace, command: str) -> dict:
  """Makes the audit that `options` (see options.py) describe and writes it to `options.out`.

  Returns:
    The content of audit.json (its form is in docs/audit.md).

  Raises:
    ValueError: for files that do not match, identities that are missing, or too few people.
  """
  with run_folder.locked(options.out):
    return _audit(options, command)


def _audit(options, command):
  files = matching.match(options.originals, options.protected)
  identity, _ = people.identities(
    [pair.name for pair in files], options.labels, options.image_column, options.identity_column
  )
  session = people.sessions([pair.name for pair in files], options.labels, options.image_column, options.session_column)
  recognisers = embedders.open_all(options.embedder)
  settings = cropping.Settings(image_size=options.size, detector=options.detector)
  found = paired_faces.load(files, identity, settings, cache.user_cache() / "faces")
  _refuse_swapped(found.swapped)
  kept = split.distinct(found.pairs.original)
  pairs = found.pairs.take(kept)
  session = session[found.index[kept]]
  chosen = protocol.choose(pairs.identity, people=options.people, probes=options.probes, seed=options.seed)
  methods = [
    _control("identity", pairs, pairs.original, found.original_pixels[kept]),
    _control("blank", pairs, *(np.full_like(one, 128) for one in (pairs.original, pairs.pixels))),
  ]
  lacking = yardstick.missing(pairs, chosen.attack)
  if not lacking:
    mean = yardstick.aligned_mean(pairs, chosen.attack, options.seed)
    methods.append(measure.Method(yardstick.NAME, "baseline", dataclasses.replace(pairs, protected=mean, pixels=mean)))
  methods.append(measure.Method(METHOD, "audited", pairs))
  with progress.bar(len(methods) * len(options.attackers), "privacy", "attack") as bar:
    measured = measure.measure(
      methods,
      chosen,
      recognisers,
      attackers=options.attackers,
      learn=training.learner(options.out / "attackers", options.seed),
      crowds=options.crowds,
      training_scale=options.effort,
      seed=options.seed,
      tell=progress.teller(bar),
      session=session,
    )
  left = {one.name for one in found.unprotected}
  clear = [one for one in found.missed if one.name in left]  # a tool may have hidden a face that nobody finds here
  end_to_end.add(measured.report, clear, len(found.pairs) + len(found.missed) - len(clear))
  report = {
    "utility": _utility(options, pairs, methods),
    "version": VERSION,
    "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": command,
    "environment": environment(),
    "originals": str(options.originals),
    "protected": str(options.protected),
    "labels": options.labels and str(options.labels),
    "settings": settings._asdict(),
    "files": _files(files, found, len(kept)),
    "unprotected": _unprotected(found, measured.report["methods"][-1]),
    "privacy": measured.report,
    "max_rank1": options.max_rank1,
    "max_missed": options.max_missed,
    "pictures": options.pictures,
    "not_measured": {yardstick.NAME: lacking} if lacking else {},
  }
  report["verdict"] = verdict(report)
  _write(
    options.out,
    report,
    _pictures(pairs, chosen, measured.scores[METHOD], report) if options.pictures and METHOD in measured.scores else {},
  )
  return report


def _utility(options, pairs, methods):
  """What stays of the faces besides who they are: rows as in a run's report, and the floors of the instruments."""
  opened = instruments.open_instruments(options.landmarks or "")
  detector, reason = finding.open_detector(options.face_detector)
  of_faces = pairs.eyes, pairs.identity
  rows = [
    {"name": one.name, "kind": one.kind}
    | instruments.measure(opened, pairs.original, one.pairs.protected, *of_faces)
    | finding.in_crops(detector, one.pairs.protected, pairs.identity)
    for one in methods
  ]
  return {
    "methods": rows,
    "instrument_floors": instruments.floors(opened, pairs.original, *of_faces),
    "face_detector": detector and detector.description,
    "not_measured": {"found_again": reason} if reason else {},
  }


def _control(name, pairs, image, pixels):
  """The same faces as another method leaves them."""
  return measure.Method(name, "control", dataclasses.replace(pairs, protected=image, pixels=pixels))


def _refuse_swapped(swapped):
  if swapped:
    messages = [f"{one.name} shows the original of {one.shows}" for one in swapped[:20]]
    more = f"\n  and {len(swapped) - 20} more" if len(swapped) > 20 else ""
    raise InputError(
      "protected pictures have the names of other pictures; give each the name of its original:\n  "
      + "\n  ".join(messages)
      + more
    )


def _files(files, found, distinct):
  listed = lambda rows: [row._asdict() for row in rows]
  return {
    "pairs": len(files),
    "faces": distinct,
    "duplicates": len(found.pairs) - distinct,
    "missed": listed(found.missed),
    "unreadable": listed(found.unreadable),
    "incomparable": listed(found.incomparable),
    "resized": [row.name for row in found.resized],
    "further": [
      {"name": row.name, "reason": f"unchanged at x, y, width, height = {', '.join(map(str, row.box))}"}
      for row in found.further
    ],
  }


def _unprotected(found, method):
  """Faces, by name, that are as their originals: of the whole file, or once cut out and resized."""
  known = {one.name: None if np.isinf(one.psnr) else one.psnr for one in found.unprotected}
  known = {one["name"]: one["psnr"] for one in method["unprotected"]} | known
  return [{"name": name, "psnr": decibels} for name, decibels in sorted(known.items())]


def verdict(report: dict) -> dict:
  """{"exit": the exit status, "lines": why} of an audit's report without its verdict."""
  lines, exits = [], [OK]
  files, method = report["files"], report["privacy"]["methods"][-1]
  if report["privacy"]["controls"]["void"]:
    exits.append(VOID)
    lines += [f"void: {reason}" for reason in report["privacy"]["controls"]["void"]]
  if report["unprotected"]:
    exits.append(REFUSED)
    lines.append(f"{len(report['unprotected'])} pictures are unprotected: a PSNR of 40 dB or more to their originals")
  headline, limit = method["headline"], report["max_rank1"]
  if headline is None:
    exits.append(VOID)
    lines.append("void: no attacker gave a result; the report says why each was left out")
  elif limit is not None and headline["rank_1"]["high"] > limit:
    exits.append(REFUSED)
    high = headline["rank_1"]["high"]
    lines.append(f"rank-1 rate up to {high:.3f} at 95 % confidence; --max-rank1 allows {limit:g}")
  failed = len(files["unreadable"]) + len(files["incomparable"])
  if failed:
    exits.append(NOT_JUDGED)
    lines.append(f"{failed} pictures could not be judged; each is listed with its reason")
  if files["further"]:
    exits.append(NOT_JUDGED)
    lines.append(f"{len(files['further'])} unchanged places besides the judged faces look like faces; look at them")
  if files["missed"]:
    allowed = report["max_missed"] * files["pairs"]
    exits.append(NOT_JUDGED if len(files["missed"]) > allowed else OK)
    lines.append(
      f"{len(files['missed'])} of {files['pairs']} originals without a face that was found: nobody tried to name "
      f"these; --max-missed allows {report['max_missed']:.0%}"
    )
  order = (VOID, REFUSED, NOT_JUDGED, OK)
  return {"exit": min(exits, key=order.index), "lines": lines}


def _pictures(pairs, chosen, scores, report):
  """The probes that the strongest attacker named most surely (worst) and is furthest from naming (best)."""
  gallery, probe = pairs.take(chosen.gallery), pairs.take(chosen.probe)
  mate = np.searchsorted(gallery.identity, probe.identity, sorter=np.argsort(gallery.identity))
  mate = np.argsort(gallery.identity)[mate]
  rows = np.arange(len(probe))
  own = scores[rows, mate]
  others = scores.copy()
  others[rows, mate] = -np.inf
  rank = 1 + (others > own[:, None]).sum(1)
  order = np.lexsort((others.max(1) - own, rank))  # by rank, then by how far ahead of the next the own person is
  arrays = {}
  for name, chosen_rows in (("worst", order[:_CASES]), ("best", order[::-1][:_CASES])):
    arrays |= {
      f"{name}_original": probe.original[chosen_rows],
      f"{name}_protected": probe.protected[chosen_rows],
      f"{name}_match": gallery.original[scores[chosen_rows].argmax(1)],
      f"{name}_rank": rank[chosen_rows],
    }
  return arrays


def _write(out, report, arrays):
  records.write_arrays(out / "audit.npz", arrays)
  records.write_text(out / "audit.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
  audit_page.write(out)
