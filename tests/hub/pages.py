"""Repositories for a browser: the card rendered with its metadata, the files, the history."""

import html
import mimetypes
import posixpath
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from tests.hub.store import PREFIX, Commit, Repo, Store

_STYLE = """
body { font: 16px/1.55 "Source Sans 3", "Noto Sans", system-ui, sans-serif; color: #111827; margin: 0; background: #fff }
header { background: #f8f9fb; border-bottom: 1px solid #e5e7eb; padding: 20px 0 }
header > div, main { max-width: 62rem; margin: 0 auto; padding: 0 24px }
h1.repo { font: 600 20px/1.3 "Source Code Pro", monospace; margin: 0 0 10px; overflow-wrap: anywhere }
.tags span { display: inline-block; border: 1px solid #e5e7eb; border-radius: 8px; padding: 1px 8px; margin: 0 6px 6px 0;
  font-size: 13px; background: #fff }
nav a { margin-right: 18px } a { color: #2563eb; text-decoration: none } a:hover { text-decoration: underline }
article h1, article h2 { border-bottom: 1px solid #e5e7eb; padding-bottom: 4px } img { max-width: 100% }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 14.5px }
th, td { border: 1px solid #e5e7eb; padding: 5px 12px } th { background: #f9fafb }
pre { background: #f6f8fa; padding: 12px 16px; border-radius: 8px; overflow-x: auto; font-size: 13.5px }
code { font-family: "Source Code Pro", "DejaVu Sans Mono", monospace } :not(pre) > code { background: #f3f4f6; padding: 1px 5px;
  border-radius: 5px; font-size: 87% }
.widget { border: 1px solid #e5e7eb; border-radius: 10px; padding: 12px 16px; margin: 18px 0 } audio { height: 34px;
  vertical-align: middle; margin-right: 12px } blockquote { border-left: 4px solid #e5e7eb; margin-left: 0; padding-left: 16px }
"""


def media_type(name: str) -> str:
    """Return the media type of a file of this name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def home(repos: Sequence[Repo]) -> str:
    """Return the list of repositories."""
    rows = "".join(
        f'<li><a href="/{PREFIX[repo.type]}{repo.id}">{_text(repo.id)}</a> ({repo.type})</li>' for repo in repos
    )
    return _page("Repositories", "<h1 class=repo>Repositories</h1>", f"<ul>{rows}</ul>")


def repository(
    store: Store, repo: Repo, commit: Commit, view: str, path: str, revision: str, card: dict[str, Any]
) -> str:
    """Return a page of a repository: `card`, `tree`, `blob` or `commits`."""
    base = f"/{PREFIX[repo.type]}{repo.id}"
    quoted = urllib.parse.quote(revision, safe="")
    tags = "".join(f"<span>{_text(tag)}</span>" for tag in _shown_tags(card))
    head = (
        f'<h1 class=repo><a href="{base}">{_text(repo.id)}</a></h1><div class=tags>{tags}</div><nav>'
        f'<a href="{base}">Card</a><a href="{base}/tree/{quoted}">Files</a>'
        f'<a href="{base}/commits/{quoted}">History</a></nav>'
    )
    if view == "tree":
        rows = "".join(
            f'<tr><td><a href="{base}/blob/{quoted}/{urllib.parse.quote(name)}">{_text(name)}</a></td>'
            f"<td>{entry.size:,}</td><td>{'LFS' if entry.lfs else ''}</td></tr>"
            for name, entry in commit.tree.items()
            if name.startswith(path)
        )
        body = f"<table><tr><th>file</th><th>bytes</th><th></th></tr>{rows}</table>"
    elif view in ("commits", "commit"):
        rows = "".join(
            f"<tr><td><code>{one.id[:10]}</code></td><td>{_text(one.title)}</td><td>{_text(one.author)}</td>"
            f"<td>{one.date}</td></tr>"
            for one in repo.history(commit)
        )
        body = f"<table>{rows}</table>"
    else:
        name = path if view == "blob" else "README.md"
        body = _file(store, commit, name, f"{base}/resolve/{quoted}", card if view == "card" else {})
    return _page(repo.id, head, body)


def _file(store: Store, commit: Commit, name: str, files: str, card: dict[str, Any]) -> str:
    entry = commit.tree.get(name)
    if entry is None:
        return "<p>No card.</p>" if name == "README.md" else "<p>No such file.</p>"
    if name.endswith(".md"):
        text = store.read(entry).decode(errors="replace")
        return _widget(card, files) + f"<article>{_markdown(text, files, posixpath.dirname(name))}</article>"
    kind = media_type(name)
    address = f"{files}/{urllib.parse.quote(name)}"
    if kind.startswith("image/"):
        return f'<img src="{address}" alt="">'
    if kind.startswith("audio/"):
        return f'<audio controls src="{address}"></audio>'
    if entry.lfs or entry.size > 200_000:
        return f'<p><a href="{address}">{entry.size:,} bytes</a></p>'
    return f"<pre>{_text(store.read(entry).decode(errors='replace'))}</pre>"


def _widget(card: dict[str, Any], files: str) -> str:
    rows = ""
    for example in card.get("widget") or []:
        if isinstance(example, dict) and isinstance(example.get("src"), str):
            address = example["src"].partition("/resolve/main/")[2] or example["src"]
            title = _text(str(example.get("example_title") or address))
            rows += f'<p><audio controls src="{files}/{urllib.parse.quote(address)}"></audio>{title}</p>'
    return f"<div class=widget><b>Examples</b>{rows}</div>" if rows else ""


def _markdown(text: str, files: str, folder: str) -> str:
    markdown = MarkdownIt("gfm-like", {"linkify": False}).use(front_matter_plugin)
    rendered = nh3.clean(
        markdown.render(text),
        tags=nh3.ALLOWED_TAGS | {"audio", "details", "summary"},
        attributes={**nh3.ALLOWED_ATTRIBUTES, "audio": {"controls", "src"}, "td": {"style"}, "th": {"style"}},
        filter_style_properties={"text-align"},
    )

    def absolute(found: re.Match[str]) -> str:
        address = html.unescape(found[2])
        if re.match(r"[a-z]+:|//|#|/", address):
            return found[0]
        joined = posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(address)))
        return f'{found[1]}="{files}/{urllib.parse.quote(joined)}"'

    return re.sub(r'\b(src|href)="([^"]*)"', absolute, rendered)


def _shown_tags(card: dict[str, Any]) -> list[str]:
    shown = [card.get("pipeline_tag"), card.get("library_name"), *(card.get("tags") or [])]
    shown += (
        [f"license: {card['license_name'] if 'license_name' in card else card['license']}"]
        if "license" in card
        else []
    )
    shown += [f"dataset: {name}" for name in card.get("datasets") or []]
    return [str(tag) for tag in dict.fromkeys(shown) if tag]


def _text(value: str) -> str:
    return html.escape(value)


def _page(title: str, head: str, body: str) -> str:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_text(title)}</title><style>{_STYLE}</style>"
        f"<header><div>{head}</div></header><main>{body}</main></html>"
    )
