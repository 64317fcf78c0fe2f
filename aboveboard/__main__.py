"""`python -m aboveboard` is the command `aboveboard`."""

from aboveboard.cli.main import run

if __name__ == "__main__":
    run()
