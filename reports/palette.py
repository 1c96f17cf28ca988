"""The colours by role. Blue is state, orange is harm, grey is context; inside a hue only lightness carries order.

Drawings carry the light values; those values are the keys by which the style sheet turns an inline drawing dark, so that there is
one drawing and not two.
"""

LIGHT = {
    "ink": "#1b1e23",
    "ink2": "#565d66",
    "ink3": "#868d97",
    "rule": "#dcdfe3",
    "wash": "#f3f4f6",
    "paper": "#ffffff",
    "s900": "#173f5f",
    "s700": "#20639b",
    "s400": "#7aa9cf",
    "s200": "#bdd5e8",
    "s100": "#e1ecf5",
    "h900": "#7a2a06",
    "h700": "#b5450f",
    "h500": "#dd7a3e",
    "h300": "#f2b48b",
    "h100": "#fbe6d8",
}
DARK = {
    "ink": "#e8eaed",
    "ink2": "#a9b0ba",
    "ink3": "#7c848f",
    "rule": "#343a42",
    "wash": "#1e2227",
    "paper": "#14161a",
    "s900": "#c2ddf2",
    "s700": "#83b8e2",
    "s400": "#4f86b3",
    "s200": "#2f5474",
    "s100": "#1e3548",
    "h900": "#ffd3b3",
    "h700": "#f59c62",
    "h500": "#c66a2e",
    "h300": "#85441f",
    "h100": "#432714",
}
FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def style_sheet() -> str:
    """The roles as CSS variables, their dark values for screens, and one rule a role that recolours inline drawings."""
    light, dark = (";".join(f"--{role}:{value}" for role, value in theme.items()) for theme in (LIGHT, DARK))
    drawings = "\n".join(
        f'svg [fill="{value}"]{{fill:var(--{role})}} svg [stroke="{value}"]{{stroke:var(--{role})}}'
        for role, value in LIGHT.items()
    )
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"{drawings}\n"
    )
