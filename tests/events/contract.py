"""What holds for every event stream, whatever happens in the run."""

from typing import Any


def check(events: list[dict[str, Any]], *, is_whole: bool = True) -> None:
    """Raise if these events, all of one run, break the contract. `is_whole` says that they are to its end."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    times = [event["time"] for event in events]
    assert times == sorted(times)
    open_runs: dict[str, dict[str, Any]] = {}
    for event in events:
        what = event["event"].rpartition("_")[2]
        run_id = event["run_id"]
        if what == "event":  # on_custom_event
            assert run_id in open_runs
            continue
        # Whatever happens in a run happens inside those around it.
        assert all(parent in open_runs for parent in event["parent_ids"])
        if what == "start":
            assert run_id not in open_runs
            open_runs[run_id] = event
            continue
        start = open_runs[run_id]
        for key in ("name", "tags", "metadata", "parent_ids"):
            assert event[key] == start[key]
        if what in ("end", "error"):
            del open_runs[run_id]
            # Nothing follows the root's end.
            assert open_runs or event is events[-1]
    if not is_whole:
        return
    assert not open_runs
    first, last = events[0], events[-1]
    assert first["parent_ids"] == last["parent_ids"] == []
    assert first["run_id"] == last["run_id"]
    assert last["event"].endswith(("_end", "_error"))
