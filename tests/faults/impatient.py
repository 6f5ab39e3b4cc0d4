"""``e2ee`` with little patience for a silent peer, so that a test of it need not have much."""

from e2ee.transport import Timeouts
from e2ee_cli import chat

chat.TIMEOUTS = Timeouts(handshake=2, quiet=0.5, dead=1.5, close=2)

if __name__ == "__main__":
    from e2ee_cli.__main__ import main

    main()
