"""`python -m capsaudit`."""

from capsaudit.cli import main

if __name__ == "__main__":
    main()
