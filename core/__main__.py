"""``python -m core``: the command line."""

import sys

if __name__ == "__main__":
    try:
        from core.cli.main import main

        main()
    except KeyboardInterrupt:  # before typer could take it: nothing was begun
        sys.exit("Aborted.")
