"""What has to hold of every page that the farm writes."""

from collections import Counter
from html.parser import HTMLParser

_VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})
# What makes a browser load or run something.
_ACTIVE = frozenset({"script", "iframe", "object", "embed", "link", "img", "image", "use", "base"})


class Page(HTMLParser):
    """Reads a page; every tag must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes[name] += 1
            if name == "id":
                self.ids[value or ""] += 1
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(text: str) -> Page:
    """Return a page that needs nothing else, runs nothing and says what its charts show."""
    page = Page(text)
    assert not _ACTIVE & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not {"src", "href", "xlink:href", "srcset"} & set(page.attributes)
    assert "@import" not in text
    assert [name for name, count in page.ids.items() if count > 1] == []
    # The figures that a chart shows are in its table as well.
    assert page.tags["svg"] == page.tags["desc"] == page.tags["figure"] == page.tags["details"]
    return page
