"""How Sphinx builds this site: `sphinx-build -W docs docs/_build`."""

import os
import re
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).resolve().parent
# Examples and benchmarks run from the checkout, on one thread, without a screen.
sys.path[:0] = [str(DOCS.parent), str(DOCS)]
os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="Agg")

import skdistill

project = "skdistill"
author = "the skdistill developers"
copyright = author
release = version = skdistill.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "_benchmark_table",
    "_public_names",
]
exclude_patterns = ["_build", "examples", "generated/gallery/*.ipynb"]

myst_heading_anchors = 3

# One backtick in a docstring is code.
default_role = "literal"
toc_object_entries_show_parents = "hide"

autosummary_generate = True
templates_path = ["_templates"]
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": r"plot_",
    "doc_module": ("skdistill",),
    "reference_url": {"skdistill": None},
    "backreferences_dir": None,
    "min_reported_time": 1,
    "show_memory": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "download_all_examples": False,
    "abort_on_example_error": True,
}
# Networks of the examples stop before they converge, for the sake of time.
warnings.filterwarnings("ignore", message=".*Maximum iterations")

html_theme = "pydata_sphinx_theme"
html_title = "skdistill"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"benchmarks": [], "limits": [], "index": []}


def point_to_gallery(app, docname, source):
    """Links to an example's script, which a host shows, lead to its page here."""
    up = "../" * docname.count("/")
    gallery = f"]({up}generated/gallery/"
    text = source[0].replace("](examples/README.rst)", f"{gallery}index.rst)")
    source[0] = re.sub(
        r"\]\((?:\.\./)*examples/(plot_\w+)\.py\)", rf"{gallery}\1.rst)", text
    )


def allow_missing_pictures(app, config):
    """Let a build without the gallery show pages without the gallery's pictures."""
    if config.sphinx_gallery_conf.get("plot_gallery") in ("0", "False", False):
        config.suppress_warnings.append("image.not_readable")


def skip_foreign(app, kind, name, member, skip, options):
    """Leave out members that scikit-learn or torch define and document."""
    owner = getattr(member, "__module__", None) or "skdistill"
    return skip or not owner.startswith("skdistill")


def setup(app):
    """Connect what this file defines."""
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("source-read", point_to_gallery)
    app.connect("config-inited", allow_missing_pictures)
