"""What options are made of: functions of a text that argparse calls, whose names its errors tell."""

import argparse
import fractions
import re

from qm_vae.arguments import nearest
from qm_vae.deidentify.video.codecs import CODECS


def between(low, high):
  """A number from `low` to `high`."""

  def value(text):
    number = float(text)
    if not low <= number <= high:
      raise ValueError
    return number

  value.__name__ = f"number from {low:g} to {high:g}"
  return value


def integer(low):
  """An integer of at least `low`."""

  def value(text):
    number = int(text)
    if number < low:
      raise ValueError
    return number

  value.__name__ = f"integer of at least {low}"
  return value


def objects(text):
  """FILE.onnx:CLASS,... as (path, classes)."""
  path, _, classes = text.rpartition(":")
  if not path.lower().endswith(".onnx") or not all(named := [one.strip() for one in classes.split(",")]):
    raise argparse.ArgumentTypeError(f"{text!r} is not FILE.onnx:CLASS, such as plates.onnx:license_plate")
  return path, tuple(named)


def codec(text):
  """The name of a codec or of an encoder of one."""
  if text and text not in CODECS and not re.fullmatch(rf"(lib\w+(-\w+)?|({'|'.join(CODECS)})_\w+)", text):
    raise argparse.ArgumentTypeError(
      f"{text!r} is no codec; {nearest(text, CODECS)}choose one of {', '.join(CODECS)}, or an encoder as h264_nvenc"
    )
  return text


def bitrate(text):
  """800k or 4M as bits a second."""
  match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
  if not match or not float(match[1]):
    raise argparse.ArgumentTypeError(f"{text!r} is no rate, such as 800k or 4M")
  return round(float(match[1]) * {"": 1, "k": 1000, "M": 10**6}[match[2]])


def scale(text):
  """SIDE or WxH as the longer side, pixels."""
  return max(int(side) for side in text.lower().split("x"))


def raw(text):
  """WxH[@FPS] as (width, height, frames a second)."""
  match = re.fullmatch(r"(\d+)x(\d+)(?:@(\d+(?:[./]\d+)?))?", text)
  if not match or not int(match[1]) or not int(match[2]):
    raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT@FPS, such as 640x360@25")
  return int(match[1]), int(match[2]), fractions.Fraction(match[3] or 25)
