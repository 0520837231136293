"""The offline token estimate."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_core.tokens import MEDIA_TOKENS, MESSAGE_TOKENS, estimate, estimate_messages

ENGLISH = (
    "Artificial intelligence is changing our lives. From voice assistants on phones to self-driving cars and medical "
    "image diagnosis, it is used almost everywhere. However, privacy, jobs and safety also raise concerns."
)
CHINESE = (
    "人工智能正在改变我们的生活。从智能手机上的语音助手，到自动驾驶汽车，再到医疗影像诊断，它的应用几乎无处不在。"
    "然而，随着技术的发展，隐私、就业与安全等问题也引起了广泛关注。政府和企业需要共同努力，制定合理的规则。"
)
JAPANESE = (
    "人工知能は私たちの生活を変えつつあります。スマートフォンの音声アシスタントから自動運転車、医療画像の診断まで、"
    "その応用はほぼあらゆる場所に広がっています。"
)
KOREAN = (
    "인공지능은 우리의 생활을 바꾸고 있습니다. 스마트폰의 음성 비서부터 자율주행 자동차, 의료 영상 진단까지 그 응용은 "
    "거의 모든 곳에 있습니다."
)
TOOL = '{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{}}}}'


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        (ENGLISH, 38),
        (CHINESE, 67),
        (JAPANESE, 56),
        (KOREAN, 41),
        (TOOL, 23),
        ("3.14159265358979 on 2026-11-22 at 10:15:30", 22),
        ("The 2 teams met 14 times; 9 games were won by the hosts.", 18),
        ("def add(a: int, b: int) -> int:\n    return a + b\n", 19),
        ("北京今天晴，气温 25 摄氏度。Bring sunglasses.", 15),
    ],
)
def test_the_estimate_is_between_two_thirds_and_three_halves_of_what_a_tokenizer_counts(
    text: str, measured: int
) -> None:
    """`measured`: tokens of o200k_base, counted once with tiktoken."""
    assert measured / 1.5 <= estimate(text) <= 1.5 * measured


def test_chinese_is_not_counted_as_english() -> None:
    assert estimate(CHINESE) > 2.5 * len(CHINESE) / 4


@given(st.text(), st.text())
def test_a_text_counts_no_more_than_its_parts_and_no_less_than_each(first: str, second: str) -> None:
    whole = estimate(first + second)
    assert max(estimate(first), estimate(second)) <= whole <= estimate(first) + estimate(second)


def test_nothing_counts_nothing_and_half_a_character_does_no_harm() -> None:
    assert estimate("") == 0
    assert estimate("\ud83d") == 1


def test_a_megabyte_takes_milliseconds() -> None:
    text = CHINESE * 3_500
    began = time.process_time()
    estimate(text)
    assert time.process_time() - began < 0.2


def test_every_part_of_a_message_counts() -> None:
    arguments = '{"city":"北京"}'
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    messages = [
        {"role": "system", "content": ENGLISH},
        {"role": "user", "name": "Ann", "content": CHINESE},
        {"role": "assistant", "content": None, "reasoning_content": JAPANESE, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": KOREAN}]},
    ]
    calls = json.dumps([call], ensure_ascii=False, separators=(",", ":"))
    texts = (ENGLISH, "Ann", CHINESE, JAPANESE, calls, "call_1", KOREAN)
    assert estimate_messages(messages) == 4 * MESSAGE_TOKENS + sum(map(estimate, texts))


def test_tools_count() -> None:
    assert estimate_messages([], [json.loads(TOOL)]) == estimate(f"[{TOOL}]")
    assert estimate_messages([], []) == estimate_messages([]) == 0


@pytest.mark.parametrize("kind", MEDIA_TOKENS)
def test_media_count_flat_whatever_their_size(kind: str) -> None:
    part = {"type": kind, kind: {"url": "data:;base64," + "A" * 1_000_000}}
    assert estimate_messages([{"role": "user", "content": [part]}]) == MESSAGE_TOKENS + MEDIA_TOKENS[kind]


def test_parts_of_other_kinds_count_too() -> None:
    audio = {"role": "assistant", "audio": {"id": "audio_1"}}
    assert estimate_messages([audio]) == MESSAGE_TOKENS + MEDIA_TOKENS["input_audio"]
    parts = {"role": "user", "content": ["words", {"type": "file", "file": {"file_data": "A" * 100_000}}]}
    assert estimate_messages([parts]) == MESSAGE_TOKENS + estimate("words") + MEDIA_TOKENS["image_url"]
