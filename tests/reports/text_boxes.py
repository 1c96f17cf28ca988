"""Where the texts of a drawing stand, as far as that can be known without the reader's font."""

from itertools import combinations
from xml.etree import ElementTree

from reports.charts.svg import width_of

SVG = "{http://www.w3.org/2000/svg}"
PLAIN = 0.9
"""Of the house's estimate, which is of bold letters: how wide plain ones are in the widest font that was looked at (DejaVu Sans)."""
Box = tuple[str, float, float, float, float]


def boxes(drawing: str) -> list[Box]:
    """Each text with left, right, top and bottom: from three quarters of its size above the baseline to a fifth below."""
    root, found = ElementTree.fromstring(drawing), []
    moved = {
        node: tuple(map(float, group.attrib["transform"].removeprefix("translate(").removesuffix(")").split(",")))
        for group in root.iter(f"{SVG}g")
        for node in group.iter(f"{SVG}text")
    }
    for node in root.iter(f"{SVG}text"):
        right, down = moved.get(node, (0.0, 0.0))
        said, size = "".join(node.itertext()), float(node.attrib["font-size"])
        wide = width_of(said, size) * (1.0 if node.get("font-weight") == "600" else PLAIN)
        x, y = right + float(node.attrib["x"]), down + float(node.attrib["y"])
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[node.get("text-anchor", "start")]
        found.append((said, left, left + wide, y - 0.75 * size, y + 0.2 * size))
    return found


def written_over(drawing: str) -> list[tuple[str, str]]:
    """Texts whose boxes meet."""
    return [
        (one[0], other[0])
        for one, other in combinations(boxes(drawing), 2)
        if one[1] < other[2] and other[1] < one[2] and one[3] < other[4] and other[3] < one[4]
    ]
