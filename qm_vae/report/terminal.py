"""The rates of a run in a few lines, for the end of its output on a terminal."""

from qm_vae.report import attacks, tables


def lines(report: dict) -> list[str]:
  """Loss rate, judge and privacy of the trained method, each with its interval, and what makes them void.

  Args:
    report: content of `report.json` of any task that has one; what it lacks is left out.

  >>> rate = {"value": 0.31, "low": 0.23, "high": 0.4, "n": 120}
  >>> print(*lines({"methods": [{"name": "qm_vae", "loss_rate": rate}]}), sep="\\n")
  Loss rate: 31 % (95 % CI 23-40, n = 120) of the service's answers change.
  """
  found = []
  if (report.get("controls") or {}).get("void"):
    found.append("VOID: the controls failed and no number counts; see the report.")
  head = tables.headline(report)
  if text := interval(head["in_loop"]):
    found.append(f"Loss rate: {text} of the service's answers change.")
  if text := interval(head["independent"]):
    baseline = interval(head["baseline"])
    found.append(
      f"Judge {head['judge']}: disagrees with the service's answer on the original on {text} of the outputs"
      + (f", and on {baseline} of the originals." if baseline else ".")
    )
  privacy = report.get("privacy") or {}
  if ours := tables.method(privacy, "qm_vae"):
    found.append(f"Privacy: {attacks.headline(privacy, ours)}")
  elif "privacy" in report:
    found.append(f"Privacy: not measured; {tables.reason(report, 'privacy') or 'the report says why'}.")
  return found


def interval(rate: dict | None) -> str:
  """'31 % (95 % CI 23-40, n = 120)'; '' for a rate that was not measured."""
  if not rate or rate.get("value") is None:
    return ""
  words = f"n = {rate['n']}" if rate.get("n") is not None else ""
  if rate.get("low") is not None and rate.get("high") is not None:
    low, high = (attacks.share(rate[end]).removesuffix(" %") for end in ("low", "high"))
    words = f"95 % CI {low}-{high}" + (f", {words}" if words else "")
  return attacks.share(rate["value"]) + (f" ({words})" if words else "")
