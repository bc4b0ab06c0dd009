"""Every method under every attacker: the privacy table, its controls, and the strongest attacker of each method."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from qm_vae import embedders, types
from qm_vae.errors import InputError
from qm_vae.metrics import images
from qm_vae.privacy import contract, controls, sessions, statistics, surroundings, untrained
from qm_vae.privacy.attackers import ATTACKERS, Tools
from qm_vae.privacy.protocol import GALLERY_SIZES, Protocol

VERSION = 1


class Method(NamedTuple):
  """What is measured: the same faces, protected one way."""

  name: str
  kind: str  # control | view | model | audited
  pairs: contract.Pairs


class Union(NamedTuple):
  """An attacker's choice of all of several methods' outputs of each face."""

  name: str
  of: tuple[str, ...]  # names of methods


class Measured(NamedTuple):
  """What was found."""

  report: dict  # ready for JSON; its form is in docs/report.md
  scores: dict[str, np.ndarray]  # method -> float [P, G] of its strongest attacker, in the protocol's order


def measure(
  methods: Sequence[Method],
  chosen: Protocol,
  recognisers: Sequence[embedders.LoadedEmbedder],
  *,
  attackers: Sequence[str],
  learn: Callable,
  union: Union | None = None,
  crowds: Sequence[int] = GALLERY_SIZES,
  training_scale: float = 1.0,
  seed: int = 0,
  tell: Callable[[str], None] = lambda doing: None,
  session: np.ndarray | None = None,
) -> Measured:
  """Attacks every method and says how often the people who are attacked are named.

  Args:
    methods: all of the same faces in one order; the first is the control `identity`, the second `blank`.
    chosen: who is attacked and who teaches, positions in those faces.
    recognisers: at least one.
    attackers: names in `ATTACKERS`.
    learn: as `Tools.learn`.
    union: one more row, of an attacker who has several methods' outputs of each face.
    crowds: sizes of the gallery, each a random choice of the people attacked (`ranking.hits`); all of them
      together are always the last.
    training_scale: epochs of attackers that learn are multiplied by it.
    seed: of the bootstrap and of the shuffled labels.
    tell: hears what begins, once for each attacker of each method.
    session: int [N] of those faces, types.UNKNOWN where unknown, for recognition within sessions and across them.

  Raises:
    ValueError: without a recogniser, or where the controls do not lead the methods.
  """
  if not recognisers or [method.name for method in methods[:2]] != ["identity", "blank"]:
    raise InputError("privacy needs a recogniser, and the controls identity and blank before other methods")
  began = time.monotonic()
  original = methods[0].pairs
  _somebody(methods[-1].pairs.take(chosen.attack), attackers, recognisers, learn, training_scale)
  sizes = sorted({*(size for size in crowds if size < len(chosen.gallery)), len(chosen.gallery)})
  table = _Table(original.identity, chosen, sizes, seed)
  # The clear gallery is embedded once for all methods.
  tools = {
    one.name: Tools(embedders.remembering(one.embed), one.embedder, learn, training_scale) for one in recognisers
  }
  clear = [{"embedder": name, "crowds": table.summaries(_clear(its, original, chosen))} for name, its in tools.items()]
  rows, scores = [], {}
  by_session = None
  if session is not None and (session != types.UNKNOWN).any():
    by_session = sessions.choose(original.identity, session, chosen, seed)
  without_sessions = sessions.unmet(by_session)
  for method in methods:
    # The controls need an attacker who can attack them, whichever were chosen.
    names = dict.fromkeys(("naive", *attackers)) if method.kind == "control" else attackers
    row, scores[method.name] = _attack(method, chosen, tools, tuple(names), table, tell)
    if method.kind in untrained.KINDS:
      row["surroundings"] = surroundings.compare(method.pairs, chosen, tools, attackers)
    if by_session and not without_sessions and (method.kind in untrained.KINDS or method is methods[0]):
      row["sessions"] = sessions.compare(method.pairs, by_session, tools, attackers)
    rows.append(row)
  on_clear = {_who(attack): attack["crowds"][-1]["rank_1"] for attack in rows[0]["attacks"]}
  for row in rows:
    for attack in row["attacks"]:
      attack["on_clear"] = on_clear.get(_who(attack))
    row["headline"] = _headline(row["attacks"])
  if union:
    row, scores[union.name] = _united(union, rows, scores, table)
    rows.append(row)
  report = {
    "version": VERSION,
    "seed": seed,
    "effort": training_scale,
    "seconds": round(time.monotonic() - began, 1),
    "people": _people(original.identity, chosen),
    "split": {side: [original.name[i] for i in getattr(chosen, side)] for side in ("gallery", "probe")},
    "crowds": sizes,
    "embedders": [_told(one) for one in recognisers],
    "clear": clear,
    "methods": rows,
    "without_sessions": without_sessions,
    "controls": controls.judge(rows, clear),
  }
  return Measured(report, {row["name"]: scores[row["name"]][_who(row["headline"])] for row in rows if row["headline"]})


def _told(one):
  return {"name": one.name, "trainable": one.embedder is not None, "source": one.source, "sha256": one.sha256}


def psnr(pairs: contract.Pairs) -> np.ndarray:
  """float64 [N], dB, of each protected face against its original; infinite for equal ones."""
  both = zip(pairs.original, pairs.protected, strict=True)
  return np.array([images.psnr_of_difference(np.subtract(x, y, dtype=np.int16)) for x, y in both])


class _Table:
  """Turns scores into the numbers of one row."""

  def __init__(self, identity, chosen, sizes, seed):
    self._sizes, self._seed = sizes, seed
    self._gallery, self._probe = identity[chosen.gallery], identity[chosen.probe]

  def summaries(self, scores):
    """statistics.summary of every crowd, from the scores [P, G] of all who are attacked."""
    return statistics.summaries(scores, self._probe, self._gallery, self._sizes, seed=self._seed)

  def row(self, scores):
    """What a row says of them."""
    shuffled = controls.shuffled(scores, self._probe, self._gallery, self._seed)
    return {"crowds": self.summaries(scores), "shuffled": shuffled}


def _who(attack):
  return attack["attacker"], attack["embedder"]


def _clear(tools, pairs, chosen):
  gallery, probe = pairs.take(chosen.gallery), pairs.take(chosen.probe)
  return tools.embed(probe.original, probe.eyes) @ tools.embed(gallery.original, gallery.eyes).T


def _attack(method, chosen, tools, attackers, table, tell):
  """The row of one method, and the scores of each (attacker, embedder)."""
  attack, gallery, probe = (method.pairs.take(rows) for rows in chosen)
  attacks, left_out, scores = [], [], {}
  for name, embedder, attacker in _parties(method.name, attackers, tools, tell):
    reason = attacker.unmet_requirements(attack)
    if attacker.trains and method.name == "blank":
      reason = "one picture for all teaches nothing"
    if reason:
      left_out.append({"attacker": name, "embedder": embedder, "reason": reason})
      continue
    began = time.monotonic()
    try:
      fitted = attacker.fit(attack)
    except FloatingPointError as error:
      details = f"its training diverged: {error}"
      left_out.append({"attacker": name, "embedder": embedder, "reason": details, "diverged": True})
      continue
    found = scores[name, embedder] = np.asarray(fitted.scores(gallery, probe), np.float64)
    attacks.append(
      {
        "attacker": name,
        "embedder": embedder,
        "gallery": attacker.gallery,
        "seconds": round(time.monotonic() - began, 1),
        "losses": list(fitted.losses),
        "loss_fell": fitted.losses[-1] < fitted.losses[0] if len(fitted.losses) > 1 else None,
        "measures": fitted.measures(probe),
      }
      | table.row(found)
    )
  return _row(method, attacks, left_out), scores


def _somebody(attack, attackers, recognisers, learn, training_scale):
  """Raises where nobody can attack, before anything is trained."""
  tools = {one.name: Tools(one.embed, one.embedder, learn, training_scale) for one in recognisers}
  reasons = {
    name: attacker.unmet_requirements(attack)
    for name, _, attacker in _parties("", attackers, tools, lambda doing: None)
  }
  if all(reasons.values()):
    details = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise InputError(f"no attacker can attack these pictures ({details or 'none was chosen'}); choose others")


def _parties(method, attackers, tools, tell):
  """(name, embedder or None, attacker): each attacker with every recogniser, or once where it uses none."""
  for name in attackers:
    tell(f"{method}: {name}")
    for embedder, its in tools.items():
      attacker = ATTACKERS[name](its)
      yield name, embedder if attacker.recognises else None, attacker
      if not attacker.recognises:
        break


def _row(method, attacks, left_out):
  decibels = psnr(method.pairs)
  close = np.flatnonzero(decibels >= images.UNPROTECTED) if method.kind != "control" else ()
  return {
    "name": method.name,
    "kind": method.kind,
    "psnr": {key: _finite(value(decibels)) for key, value in _SPREAD.items()},
    "unprotected": [{"name": method.pairs.name[i], "psnr": _finite(decibels[i])} for i in close],
    "attacks": attacks,
    "left_out": left_out,
  }


_SPREAD = {"mean": np.mean, "lowest": np.min, "highest": np.max}


def _finite(value):
  return float(value) if np.isfinite(value) else None


def _united(union, rows, scores, table):
  """The row of an attacker who has several methods' outputs of every face; nothing is trained anew.

  Of every face one adds up what all outputs say, others keep to the best attack on a single output.
  """
  parts = [scores[name] for name in union.of]
  row = {"name": union.name, "kind": "union", "psnr": dict.fromkeys(_SPREAD), "unprotected": [], "left_out": []}
  row["attacks"], found = [], {}
  for first in next(row for row in rows if row["name"] == union.of[0])["attacks"]:
    who = _who(first)
    if not all(who in part for part in parts):
      continue
    began = time.monotonic()
    found[who] = sum(_standardised(part[who]) for part in parts)
    details = {"seconds": round(time.monotonic() - began, 1), "losses": [], "loss_fell": None, "measures": {}}
    details |= {key: first[key] for key in ("attacker", "embedder", "gallery", "on_clear")}
    row["attacks"].append(details | table.row(found[who]))
  for name in union.of:
    single = next(row for row in rows if row["name"] == name)
    if single["headline"]:
      who = _who(single["headline"])
      best = next(attack for attack in single["attacks"] if _who(attack) == who)
      row["attacks"].append(best | {"attacker": f"{best['attacker']} on {name}"})
      found[_who(row["attacks"][-1])] = scores[name][who]
  row["headline"] = _headline(row["attacks"])
  return row, found


def _standardised(scores):
  spread = np.nanstd(scores)
  return (scores - np.nanmean(scores)) / (spread if spread > 0 else 1.0)


def _headline(attacks):
  """The strongest attacker at the largest crowd; None where nobody attacked."""
  if not attacks:
    return None
  strongest = max(attacks, key=lambda attack: attack["crowds"][-1]["rank_1"]["value"])
  details = strongest["crowds"][-1]
  rank_1 = {key: details["rank_1"][key] for key in ("value", "low", "high", "n")}
  who = {key: strongest[key] for key in ("attacker", "embedder")}
  return who | {"people": details["n_people"], "rank_1": rank_1, "chance": details["chance"]["rank_1"]}


def _people(identity, chosen):
  teaching = identity[chosen.attack]
  return {
    "faces": len(identity),
    "known": _count(identity),
    "attacked": len(chosen.gallery),
    "probes": len(chosen.probe),
    "teaching_people": _count(teaching),
    "teaching_faces": len(teaching),
  }


def _count(identity):
  return len(np.unique(identity[identity != types.UNKNOWN]))
