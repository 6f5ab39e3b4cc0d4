"""The program on a system whose random numbers fail: from the draw on that the first argument
counts, once all is loaded."""

import sys

from e2ee_cli.main import main
from tests.draws import failing_from

if __name__ == "__main__":
    number = int(sys.argv.pop(1))
    with failing_from(number):
        main()
