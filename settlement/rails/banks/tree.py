"""XML of strangers, read without trust: no document type (so no entities), so deep, so many elements, and no more.

What is not read is not believed: elements nobody asks for are passed over, as banks add their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from settlement.rails.banks.lines import BadFile, refuse

DEEPEST: Final = 40
LARGEST_ELEMENTS: Final = 1_000_000
_SEPARATOR: Final = "\x1f"


@dataclass(slots=True)
class Element:
    """An element by its local name; `space` is its namespace."""

    name: str
    space: str
    attributes: dict[str, str]
    parts: list["Element"] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.chunks).strip()

    def all(self, path: str) -> Iterator["Element"]:
        """Every element at a path such as `Acct/Id/IBAN`."""
        first, _, rest = path.partition("/")
        for part in self.parts:
            if part.name == first:
                if rest:
                    yield from part.all(rest)
                else:
                    yield part

    def one(self, path: str) -> "Element | None":
        """The element at a path; that it comes twice is refused, since two readers could take different ones."""
        found = list(self.all(path))
        if len(found) > 1:
            refuse("field_invalid", f"{self.name}/{path} comes {len(found)} times")
        return found[0] if found else None

    def must(self, path: str) -> "Element":
        found = self.one(path)
        if found is None:
            refuse("field_missing", f"there is no {self.name}/{path}")
        return found

    def say(self, path: str) -> str:
        """The text at a path; empty where there is none."""
        found = self.one(path)
        return "" if found is None else found.text


def read(raw: bytes) -> Element:
    """The root of a document, or BadFile."""
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    root = Element("", "", {})
    open_elements = [root]
    count = 0

    def forbid(*_: object) -> None:
        refuse("file_forbidden", "it declares a document type")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) > DEEPEST or count > LARGEST_ELEMENTS:
            refuse("file_too_deep", "its elements are nested too deeply, or there are too many")
        space, _, local = name.rpartition(_SEPARATOR)
        element = Element(local, space, attributes)
        open_elements[-1].parts.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].chunks.append(text)

    parser.StartDoctypeDeclHandler = forbid
    parser.EntityDeclHandler = forbid
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(raw, True)
    except BadFile:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        line = getattr(error, "lineno", 0)
        raise BadFile("file_damaged", f"it is no whole XML document: line {line}") from None
    return root.parts[0]
