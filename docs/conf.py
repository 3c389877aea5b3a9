"""Sphinx: pages in MyST, run at every build; the API from numpydoc docstrings."""

import os
import sys
from collections import Counter
from importlib.util import find_spec
from inspect import isclass, ismodule
from pathlib import Path
from typing import get_origin

from myst_nb.core import render
from myst_nb.core.utils import coalesce_streams
from numpydoc.xref import DEFAULT_LINKS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

import irl_ident

project = "irl_ident"
author = "The irl_ident developers"
copyright = "2026, The irl_ident developers"
release = version = irl_ident.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "irl_ident"
html_static_path = ["_static", f"{find_spec('sphinx-mathjax-offline').submodule_search_locations[0]}/static"]
mathjax_path = "mathjax/tex-chtml.js"
html_css_files = ["site.css"]
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
copybutton_exclude = ".linenos, .gp, .go"

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True


def joined_streams(outputs):
    """Each stream as it was written: a command comes in parts, and MyST-NB would begin a line at each of them."""
    found, streams = [], {}
    for output in outputs:
        if output["output_type"] != "stream":
            found.append(output)
        elif output["name"] in streams:
            streams[output["name"]]["text"] += output["text"]
        else:
            streams[output["name"]] = output
            found.append(output)
    return coalesce_streams(found)


render.coalesce_streams = joined_streams

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

nitpicky = True
"""A reference to what no page describes fails the build, and so does a name of a class that nobody can look up."""


def public_classes():
    """Each class that is there for users, and the path by which it is imported."""
    rooms = [getattr(irl_ident, name) for name in irl_ident.__all__ if ismodule(getattr(irl_ident, name))]
    found = {irl_ident.Environment: "irl_ident.Environment"}
    for room in rooms:
        for name in getattr(room, "__all__", vars(room)):
            each = getattr(room, name)
            if isclass(each) and each.__module__.startswith(room.__name__) and not name.startswith("_"):
                found.setdefault(each, f"{room.__name__}.{name}")
    return found


CLASSES = public_classes()
NAMED = Counter(each.__name__ for each in CLASSES)
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {word: word for word in DEFAULT_LINKS} | {
    each.__name__: path for each, path in CLASSES.items() if NAMED[each.__name__] == 1
}


def public_bases(app, name, obj, options, bases):
    """In place of bases that are not for users, those of theirs that are."""

    def nearest(base):
        return (
            [base]
            if base in CLASSES
            else [further for each in getattr(base, "__bases__", ()) for further in nearest(each)]
        )

    given = [get_origin(base) or base for base in bases]
    bases[:] = dict.fromkeys(each for base in given for each in nearest(base)) or [object]


def without_object(app, domain, objtype, content):
    """No line says that a class is an object."""
    if content.children and content.children[0].astext() == "Bases: object":
        del content.children[0]


def formulas(app, what, name, obj, options, lines):
    """Lines of a module's text that stand to the right are formulas, and stay as they are."""
    for place in reversed(range(2, len(lines))) if what == "module" else ():
        before = lines[place - 2]
        plain = before and not before[0].isspace() and not before.startswith((".. ", "- ", "* ", ">>>"))
        if lines[place].startswith("    ") and not lines[place - 1] and plain and not before.endswith("::"):
            end = next((i for i in range(place, len(lines)) if lines[i] and not lines[i][0].isspace()), len(lines))
            lines[place:end] = [".. code-block:: text", "", *(line.replace("``", "") for line in lines[place:end])]


def setup(app):
    app.connect("autodoc-process-docstring", formulas)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("object-description-transform", without_object)
