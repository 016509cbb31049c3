"""What `invoke` of the chain costs, when the model answers at once and when it only streams."""

from benchmarks import chains_millstream, chains_peer
from benchmarks.chains_millstream import INPUT
from benchmarks.measure import each, interleaved
from benchmarks.rows import Row, microseconds, times_below

WORDS = ["Rivers ", "bend ", "because ", "they ", "can."]
CALLS = 200
PEER_CALLS = 10


def rows() -> list[Row]:
    answering = chains_millstream.chain_of(chains_millstream.AnsweringModel(WORDS))
    streaming = chains_millstream.chain_of(chains_millstream.PlainModel(WORDS))
    peer = chains_peer.chain_of(chains_peer.AnsweringModel(words=WORDS))
    expected = "".join(WORDS)
    assert answering.invoke(INPUT) == streaming.invoke(INPUT) == peer.invoke(INPUT) == expected
    times = interleaved(
        {
            "answering": each(lambda: answering.invoke(INPUT), CALLS),
            "streaming": each(lambda: streaming.invoke(INPUT), CALLS),
            "peer": each(lambda: peer.invoke(INPUT), PEER_CALLS),
        }
    )
    return [
        Row(
            "`invoke`, model with `_generate`",
            microseconds,
            times["answering"],
            times["peer"],
            limits=[times_below(times.ratio("peer", "answering"), 30)],
        ),
        Row(
            f"`invoke`, ours with `_stream` only, {len(WORDS)} chunks",
            microseconds,
            times["streaming"],
            times["peer"],
            note=f"{times.ratio('peer', 'streaming'):.0f}x below; no budget of its own",
        ),
    ]
