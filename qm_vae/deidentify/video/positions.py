"""Text tracks that say where the camera was, as those of drones and dashboard cameras do."""

import re

import av
from av.stream import Discard

_TEXT = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")
_PLACE = re.compile(
  r"\b(?:GPS|HOME)\s*[:=(\[]\s*[-+NSEW]?\d|\$G[PNL](?:RMC|GGA|GLL|VTG)|\bgeo:\s*-?\d"
  r"|\b(?:lat|lon|lng|latitude|longt?itude)\b\W{0,3}[-+]?\d"
  r"|[-+]\d{2}\.\d{3,}[-+]\d{3}\.\d{3,}"  # ISO 6709
  r"|-?\d{1,3}\.\d{4,}\s*[,;/ ]\s*-?\d{1,3}\.\d{4,}"
  r"|\d{1,3}\s*°\s*\d{1,2}(?:\.\d+)?\s*['′]",
  re.IGNORECASE,
)


def says_place(text: str) -> bool:
  """Whether a line of text has a position in one of the usual notations."""
  return bool(_PLACE.search(text))


def tracks(container: av.container.InputContainer, place: str) -> set[int]:
  """Indices of a file's text tracks in which a position is written, or that cannot be read to know.

  Args:
    container: the file, opened; it is not read.
    place: its name, for another reading.
  """
  wanted = {s.index for s in container.streams.subtitles if s.codec_context and s.codec_context.name in _TEXT}
  if not wanted:
    return set()
  found = set()
  try:
    with av.open(place) as again:
      for stream in again.streams:
        if stream.index not in wanted:
          stream.discard = Discard.all
      for packet in again.demux([again.streams[index] for index in sorted(wanted)]):
        if packet.size and says_place(bytes(packet).decode(errors="replace")):
          found.add(packet.stream.index)
          if found == wanted:
            break
  except av.error.FFmpegError:
    return wanted
  return found
