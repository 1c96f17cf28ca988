"""Each chart once, at two widths: 700 px (the exposure map 1040) and 340 px, with labels of their own.

Every function takes the record, and `narrow`, and returns an inline SVG: deterministic text, light colours as keys for dark mode,
`role="img"` with a label that states the content.
"""

from reports.charts.at_risk import at_risk
from reports.charts.cascade import cascade
from reports.charts.exposure_map import exposure_map

__all__ = ["at_risk", "cascade", "exposure_map"]
