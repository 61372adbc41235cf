"""What mkdocs needs beyond docs/: pages that live elsewhere, and the source files that pages point to.

On a git host the pages of docs/ link to files of the repository (``../ionsim/...``). In the site each such file is a
page of its own below ``source/``, so that no link leaves the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

#: Page of the site -> file of the repository that it shows.
ELSEWHERE = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "hpc/README.md": "hpc/README.md",
    "hpc/spack-and-conda.md": "hpc/spack-and-conda.md",
}

_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)")
_LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".sh": "sh", ".yml": "yaml", ".md": "markdown"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere, and a page for every source file that some page links to."""
    for page, path in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    wanted: set[str] = set()
    for file in list(files.documentation_pages()):
        for link in _LINK.findall(file.content_string):
            target = target_of(file.src_uri, link)
            if target is not None and target.startswith("source/"):
                wanted.add(target)
    for target in sorted(wanted):
        files.append(File.generated(config, target, content=_source_page(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files, **_: Any) -> str:
    """Links as the site has them."""
    here = page.file.src_uri

    def changed(match: re.Match[str]) -> str:
        target = target_of(here, match[1])
        return match[1] if target is None else posixpath.relpath(target, posixpath.dirname(here) or ".")

    return _LINK.sub(changed, markdown)


def target_of(page: str, link: str) -> str | None:
    """Where in the site a link of a page leads that was written for the repository; None where it stays as it is."""
    home = ELSEWHERE.get(page, f"docs/{page}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(home), link))
    if not (ROOT / path).is_file() or path.startswith(".."):
        return None
    for other, origin in ELSEWHERE.items():
        if path == origin:
            return other
    return path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}.md"


def _source_page(target: str) -> str:
    path = target.removeprefix("source/").removesuffix(".md")
    text = (ROOT / path).read_text(encoding="utf-8")
    language = _LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{text}\n````\n"
