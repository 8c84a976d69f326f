"""Keep the icons that pages show, of the two thousand that the theme sends on a first visit."""

import re
from pathlib import Path

from bookbuild.files import write_text

SCRIPT = Path("_static", "scripts", "fontawesome.js")
# One entry of the script's tables: name:[width,height,[aliases],"code","outline"],
_ENTRY = re.compile(
    r'"?(?P<name>[a-z0-9-]+)"?:\[\d+,\d+,\[(?P<aliases>[^\]]*)\],"[0-9a-f]*",'
    r'(?:"[^"]*"|\[(?:"[^"]*",?)*\])\],?'
)
_SHOWN = re.compile(r"\bfa-([a-z0-9-]+)")


def drop_unused_icons(site: Path) -> None:
    """Rewrite the theme's icon script in a built site; what it does stays as it is."""
    script = site / SCRIPT
    pages = (page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    shown = {name for text in pages for name in _SHOWN.findall(text)}

    def keep(entry: re.Match[str]) -> str:
        names = {entry["name"], *re.findall(r'"([^"]+)"', entry["aliases"])}
        return entry[0] if names & shown else ""

    write_text(script, _ENTRY.sub(keep, script.read_text(encoding="utf-8")))
