"""Which files count as videos and how they are written; no library is loaded to know it."""

FORMATS = {
  ".mp4": "mp4",
  ".m4v": "mp4",
  ".mov": "mov",
  ".mkv": "matroska",
  ".webm": "webm",
  ".avi": "avi",
  ".ts": "mpegts",
  ".mts": "mpegts",
  ".m2ts": "mpegts",
  ".gif": "gif",
}
"""Container by the suffix of a file's name."""

CODECS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "gif": "gif"}
"""Encoder by the name of its format."""

SUFFIXES = (*FORMATS, ".mpg", ".mpeg", ".wmv", ".3gp", ".3g2", ".flv", ".f4v", ".vob", ".ogv", ".mxf", ".asf", ".divx")
"""Of files that are taken for videos; those that FORMATS lacks are read but not written."""
