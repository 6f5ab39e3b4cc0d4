"""Make an identity, and print the id that the other side has to be given.

python new_identity.py FILE
"""

import sys
import time

from e2ee import E2EEError, Identity

if len(sys.argv) != 2:
    sys.exit(__doc__)
identity = Identity.generate(now=time.time())
try:
    identity.save(sys.argv[1])  # It is readable by its owner only, and never replaces another.
except E2EEError as error:
    sys.exit(f"{error}")
print(identity.id)
