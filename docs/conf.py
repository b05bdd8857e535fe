"""How `make docs` builds the site: MyST pages, docstrings as API pages, and the executed tutorial. No network."""

import importlib
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mgc_hf  # noqa: E402

project = "mgc_hf"
author = copyright = "The mgc_hf developers"
version = release = mgc_hf.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "tutorial.py"]

# Markdown
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # scripts/make_tutorial.py has executed it
nb_merge_streams = True
highlight_language = "text"

# docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Yields", "returns_style")]
python_maximum_signature_line_length = 120
add_module_names = False
nitpicky = True
# other packages' classes (nothing is fetched to link them), and ours that are nobody else's business
nitpick_ignore_regex = [(r"py:.*", r"(?!mgc_hf\.).*"), (r"py:.*", r"mgc_hf\..*\b(_\w+|LogMelSettings|FeatureSource)")]

# look
html_theme = "furo"
html_title = "mgc_hf"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5f8b", "color-brand-content": "#1f5f8b"},
    "dark_css_variables": {"color-brand-primary": "#7fc1ec", "color-brand-content": "#7fc1ec"},
}
copybutton_exclude = ".linenos, .gp, .go, .c1"  # prompts, output, and a command's comment stay behind

#: Files of the repository that have a page here; links to them lead there.
PAGES_OF_FILES = {
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
    "../benchmarks/RESULTS.md": "measured.md",
    "tutorial.py": "tutorial.ipynb",
}


def lead_links_to_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let links to files of the repository lead to their page, or show the file's name where they have none."""

    def target(match: re.Match[str]) -> str:
        text, path, anchor = match.groups()
        if path in PAGES_OF_FILES:
            return f"[{text}]({PAGES_OF_FILES[path]}{anchor or ''})"
        if path.startswith("../") and not docname.startswith("api/"):
            return text if "`" in text else f"{text} (`{path.removeprefix('../')}`)"
        return match.group()

    source[0] = re.sub(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)", target, source[0])


def read_transformers_docstring(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn what transformers' docstrings have of Markdown into what Sphinx reads: [`Name`], `code`, fenced code."""
    text = "\n".join(lines)
    text = re.sub(r"\[`~?([^`\]]+)`\]", r"`\1`", text)
    text = re.sub(
        r"(?<![`:\w])`([^`]+)`(?!`)(?=(\w?))", lambda m: f"``{m[1].strip()}``" + ("\\ " if m[2] else ""), text
    )
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

    def block(match: re.Match[str]) -> str:
        indent, language, code = match.groups()
        body = "\n".join(f"   {line}" if line.strip() else "" for line in code.splitlines())
        return f"\n{indent}.. code-block:: {language or 'text'}\n\n{body}\n"

    lines[:] = fence.sub(block, text).split("\n")


def leave_out_inherited(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Leave what every configuration of transformers takes out of the signature of ours."""
    if signature and signature.startswith("(transformers_version:"):
        signature = "(" + signature.partition(" *, ")[2]
    return signature, returned


def setup(app: Sphinx) -> None:
    """Register the readers; that of docstrings comes before napoleon's."""
    app.connect("source-read", lead_links_to_pages)
    app.connect("autodoc-process-docstring", read_transformers_docstring, priority=100)
    app.connect("autodoc-process-signature", leave_out_inherited)
    # names that are loaded when they are used must be there for autodoc
    for attribute in mgc_hf.__all__:
        getattr(mgc_hf, attribute)
    importlib.import_module("mgc_hf.models.mel_lstm")
