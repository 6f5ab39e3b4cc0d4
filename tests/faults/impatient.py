"""``e2ee`` with little patience for a peer that is silent or away, so that a test of it need not
have much."""

from e2ee.transport import Timeouts
from e2ee_cli import chat

chat.TIMEOUTS = Timeouts(handshake=2, quiet=0.5, dead=1.5, close=2)

from e2ee_cli import waiting  # noqa: E402 -- it takes the timeouts when it is imported

waiting.RETURN_TIMEOUT = 0.5

if __name__ == "__main__":
    from e2ee_cli.__main__ import main

    main()
