"""A hook of mkdocs: relative links from docs/ to other files of the repository become links to them in the repository's address."""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<=\]\()([\w./-]+)(?=[)#])")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page with links that leave docs/ replaced. Links within docs/ are left to mkdocs, which checks them."""
    return _LINK.sub(lambda link: address(link[0], page.file.src_uri, config.repo_url), markdown)


def address(link: str, page: str, repository: str) -> str:
    """Where a link of a page of docs/ leads on the site.

    >>> address("../examples/tied.py", "index.md", "https://example.org/capsaudit")
    'https://example.org/capsaudit/blob/main/examples/tied.py'
    >>> address("../reference/json.md", "guides/student.md", "https://example.org/capsaudit")
    '../reference/json.md'
    """
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return link if target.startswith("docs/") else f"{repository.rstrip('/')}/blob/main/{target}"
