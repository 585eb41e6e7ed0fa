"""How Sphinx builds the guide from docs/. `make guide` runs it.

The pages are plain Markdown, whose links work on a git host too. The guide is served under the
API's content security policy: everything is local, and no script is inline.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

project = "COLT Studio"
try:
    release = metadata.version("colt-studio")
except metadata.PackageNotFoundError:
    release = ""
html_title = "COLT Studio"
root_doc = "index"
extensions = ["myst_parser"]
myst_heading_anchors = 4  # as git hosts make them
templates_path = ["templates"]
html_theme = "furo"
html_static_path = ["static"]
html_favicon = str(ROOT / "frontend" / "public" / "favicon.svg")
html_copy_source = False
html_show_sphinx = False
html_use_index = False
# Mermaid diagrams are drawn by git hosts alone. Here they show as text.
suppress_warnings = ["misc.highlighting_failure"]

LINK = re.compile(r"\[([^\]]+)\]\((\.\./(?!examples/)[^)\s]+)\)")


def prepare(_app: Sphinx, name: str, source: list[str]) -> None:
    """Change what a page has for a git host alone.

    - The changelog is that of the repository.
    - The lists of the first page become the navigation.
    - What lies outside docs/ is named, but is no link. The examples can be downloaded.
    """
    text = (ROOT / "CHANGELOG.md").read_text("utf-8") if name == "changelog" else source[0]
    if name == root_doc:
        for part in text.split("\n## ")[1:]:
            title, _, rest = part.partition("\n")
            pages = "\n".join(re.findall(r"^\| \[[^\]]+\]\(([\w-]+)\.md\)", rest, re.MULTILINE))
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```\n"
    source[0] = LINK.sub(r"\1", text)


def setup(app: Sphinx) -> None:
    app.connect("source-read", prepare)
