"""`python -m mrs`."""

from mrs.cli import main

if __name__ == "__main__":
    main()
