"""``python -m teachrl``."""

from teachrl.cli import main

if __name__ == "__main__":
    main()
