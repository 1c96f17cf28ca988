"""What every block uses: its source line, its drawing at both widths."""

from html import unescape

from reports import charts
from reports.amounts import sentence
from reports.page import Chart
from reports.record import Assessment

_LABEL = 'aria-label="'


def source(assessment: Assessment, *more: str) -> str:
    return " ".join((f"{sentence(assessment.subject.stands_at)}.", *more))


def chart(assessment: Assessment, name: str, size: tuple[int, int]) -> Chart:
    draw = {"exposure-map": charts.exposure_map, "at-risk": charts.at_risk, "cascade": charts.cascade}[name]
    wide, narrow = draw(assessment), draw(assessment, narrow=True)
    label = wide[wide.index(_LABEL) + len(_LABEL) :]
    return Chart(name, wide, narrow, unescape(label[: label.index('"')]), size)
