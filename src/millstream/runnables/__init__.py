"""Runnables: what chains are made of. Every name here can be imported from `millstream` too."""

from millstream.kernel.scope import RunnableConfig
from millstream.kernel.sources import AddableDict
from millstream.runnables.batch import RunnableEach
from millstream.runnables.binding import RunnableBinding
from millstream.runnables.branch import RunnableBranch
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.fallbacks import RunnableWithFallbacks
from millstream.runnables.function import RunnableGenerator, RunnableLambda, chain
from millstream.runnables.listeners import Run
from millstream.runnables.parallel import RunnableMap, RunnableParallel
from millstream.runnables.passthrough import RunnableAssign, RunnablePassthrough, RunnablePick
from millstream.runnables.retry import RunnableRetry
from millstream.runnables.runnable import Runnable
from millstream.runnables.sequence import RunnableSequence

__all__ = [
    "AddableDict",
    "Run",
    "Runnable",
    "RunnableAssign",
    "RunnableBinding",
    "RunnableBranch",
    "RunnableConfig",
    "RunnableEach",
    "RunnableGenerator",
    "RunnableLambda",
    "RunnableMap",
    "RunnableParallel",
    "RunnablePassthrough",
    "RunnablePick",
    "RunnableRetry",
    "RunnableSequence",
    "RunnableWithFallbacks",
    "chain",
    "coerce_to_runnable",
]
