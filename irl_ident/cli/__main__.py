"""``python -m irl_ident.cli`` is ``irl-ident``."""

from irl_ident.cli import main

if __name__ == "__main__":
    main()
