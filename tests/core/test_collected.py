"""What several calls came to."""

from geekai_core.collecting import Collected


def test_calls_are_summed_up_without_duplicates():
    collected = Collected()
    collected.add(
        {
            "model": "a",
            "usage": {"total_tokens": 3, "details": {"x": 1}, "billed_units": 1, "note": "n"},
            "citations": ["u", "v"],
        }
    )
    collected.add(
        {
            "model": "b",
            "usage": {"total_tokens": 4, "details": {"x": 2}, "ok": True},
            "citations": ["v"],
            "search_results": [{"t": 1}],
        }
    )
    collected.add({"usage": None})
    assert collected.usage == {"total_tokens": 7, "details": {"x": 3}, "billed_units": 1}
    assert (collected.billed_units, collected.citations, collected.search_results) == (1, ["u", "v"], [{"t": 1}])
    assert [call["model"] for call in collected.calls] == ["a", "b", None]
    assert repr(collected).startswith("Collected(calls=3, usage={'total_tokens': 7")
