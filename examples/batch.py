"""Many inputs at once, in order or as they are done, with errors in their places."""

import time

from millstream import RunnableLambda


def shout(word: str) -> str:
    if not word.isalpha():
        raise ValueError(f"{word!r} is no word")
    time.sleep(len(word) / 50)
    return word.upper()


step = RunnableLambda(shout)

print(step.batch(["rivers", "bend"], {"max_concurrency": 4}))

for index, answer in step.batch_as_completed(["meandering", "it", "bends"]):
    print(index, answer)

print(step.batch(["rivers", "1/0"], return_exceptions=True))
