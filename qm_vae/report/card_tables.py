"""The tables of a model card, in Markdown: rates as '7.0 % (95 % CI 5.1-9.6, n = 500)'."""

from collections.abc import Mapping
from typing import Any

from qm_vae.report import attacks, drawing, tables

_SHOWN = {"identity": "`identity`", "aligned_mean": "`aligned_mean`", "qm_vae": "this network"}


def percent(rate: Mapping[str, Any] | None) -> str:
  """A rate in percent with its interval and n, as far as it has them.

  >>> percent({"value": 0.07, "low": 0.051, "high": 0.096, "n": 500})
  '7.0 % (95 % CI 5.1-9.6, n = 500)'
  >>> percent({"value": 0.01}), percent(None)
  ('1.0 %', 'not measured')
  """
  rate = rate or {}
  value = drawing.finite(rate.get("value"))
  if value != value:
    return "not measured"
  known = [] if rate.get("low") is None else [f"95 % CI {100 * rate['low']:.1f}-{100 * rate['high']:.1f}"]
  known += [] if rate.get("n") is None else [f"n = {rate['n']}"]
  return f"{100 * value:.1f} %" + (f" ({', '.join(known)})" if known else "")


def methods(report: Mapping[str, Any]) -> str:
  """What is lost and who is recognised, of this network beside the picture itself and the mean of other faces."""
  privacy = report.get("privacy") or {}
  judge = next(iter(tables.judge_names(report)), None)
  people = attacks.largest_crowd(privacy) or "–"
  rows = []
  for name, words in _SHOWN.items():
    one = tables.method(report, name)
    rates = (
      one.get("loss_rate"),
      tables.judged(one, judge).get("service_answer"),
      one.get("pipeline_loss_rate"),
      (tables.method(privacy, name).get("headline") or {}).get("rank_1"),
    )
    rows += [(words, *map(percent, rates))] if one else []
  return _table(("method", "loss rate, service", "loss rate, judge", "whole pipeline", f"rank 1 of {people}"), rows)


def expressions(report: Mapping[str, Any]) -> str:
  """The loss rate of each expression, as the service reads it from the original."""
  found = tables.method(report, "qm_vae").get("per_expression") or ()
  rows = [(drawing.visible(row["expression"]), percent(row.get("loss_rate"))) for row in found]
  return _table(("expression", "loss rate, service"), rows) if rows else "Loss rates by expression: not measured."


def privacy(report: Mapping[str, Any]) -> str:
  """Every attack on this network, what failed, what was not tried, and what is guaranteed whoever attacks."""
  section = report.get("privacy")
  if not section:
    return f"Privacy: **not measured.** {tables.reason(report, 'privacy')}".rstrip()
  people, method = attacks.largest_crowd(section), tables.method(section, "qm_vae")
  rows = [
    (attacks.attack_name(one), percent(attacks.summary(one, people).get("rank_1")), percent(one.get("on_clear")))
    for one in method.get("attacks") or ()
  ]
  parts = ["**Void: a control of the attacks failed.**"] if (section.get("controls") or {}).get("void") else []
  parts.append(_table((f"attacker, {people} people", "rank 1", "the same on clear pictures"), rows))
  left_out = sorted({one["attacker"] for one in method.get("left_out") or ()})
  parts += [f"Attackers that were not tried: {', '.join(left_out)}."] if left_out else []
  promise = section.get("guarantee")
  words = tables.guarantee(promise) if promise else "none. A rate says what these attackers achieved."
  return "\n\n".join([*parts, f"Guarantee whoever attacks: {words}"])


def _table(head, rows):
  line = lambda cells: f"| {' | '.join(cells)} |"
  return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])
