"""Reading a finished page back."""

import html.parser


class Reader(html.parser.HTMLParser):
  """Collects tags, attributes, visible text and the values of <data>."""

  def __init__(self, text):
    super().__init__(convert_charrefs=True)
    self.tags, self.attributes, self.words, self.values = [], [], [], []
    self.feed(text)
    self.text = " ".join(" ".join(self.words).split())

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += [(tag, name, value) for name, value in attrs]
    if tag == "data":
      self.values.append(float(dict(attrs)["value"]))

  def handle_data(self, data):
    self.words.append(data)


def check_loads_nothing(path):
  """Asserts that nothing on the page runs, is requested, or leads away."""
  source = path.read_text(encoding="utf-8")
  reader = Reader(source)
  assert not {"script", "link", "iframe", "object", "embed", "form"} & set(reader.tags)
  for tag, name, value in reader.attributes:
    assert not name.startswith("on"), (tag, name)
    if name in ("src", "srcset", "data", "poster", "background", "action"):
      assert value.startswith("data:image/png;base64,"), (tag, name, value[:60])
    if name == "href":
      assert value.startswith("#")
  assert "url(" not in source and "@import" not in source
  assert "default-src 'none'" in source


def rates(node):
  """Every measured number with an interval in a report."""
  if isinstance(node, dict):
    if "value" in node:
      return [node[key] for key in ("value", "low", "high") if node.get(key) is not None]
    return [number for child in node.values() for number in rates(child)]
  return [number for child in node for number in rates(child)] if isinstance(node, list) else []
