"""Runs so many diamonds of four steps with DBOS, 8 at a time, and says how long that took.

    python diamonds.py URL COUNT
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS

THREADS = 8
calls = []

DBOS(config={"name": "diamonds", "system_database_url": sys.argv[1], "log_level": "WARNING"})


@DBOS.step()
def a():
    calls.append(1)
    return 1


@DBOS.step()
def b():
    calls.append(1)
    return 1


@DBOS.step()
def c():
    calls.append(1)
    return 1


@DBOS.step()
def d(left, right):
    calls.append(1)
    return left + right


@DBOS.workflow()
def diamond(_number):
    a()
    return d(b(), c())


DBOS.launch()
count = int(sys.argv[2])
with ThreadPoolExecutor(THREADS) as pool:
    began = time.monotonic()
    results = list(pool.map(diamond, range(count)))
    seconds = time.monotonic() - began
if results != [2] * count:
    sys.exit("wrong results")
print(json.dumps({"calls": len(calls), "seconds": seconds}))
sys.stdout.flush()
DBOS.destroy()
