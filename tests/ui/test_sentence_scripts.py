"""Sentences of services on a Chinese page: as they are made by the code, and as they are shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from script_alone import script_alone

from comparator.comparison.disturbance import in_words, shared
from comparator.comparison.turns import CUT_SHORT, SAME_AGAIN
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, PromptTooLongError
from comparator.hosting.session import BusyError
from runners.engines.context_fit import check_fits


@pytest.fixture
def chinese(browser: Browser) -> Iterator[Page]:
    """An empty page with the script, in a browser that reads Chinese."""
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.add_script_tag(content=script_alone())
    yield page
    context.close()


def refusal(setting: str, value: object) -> str:
    with pytest.raises(ConfigurationError) as told:
        ModelConfig.from_dict({setting: value})
    return str(told.value)


def too_long() -> str:
    with pytest.raises(PromptTooLongError) as told:
        check_fits([0] * 600, "A. model", 512, 8192)
    return str(told.value)


def test_what_services_say_comes_in_the_readers_language(chinese: Page) -> None:
    taken = {"decode": {"page": 0.9, "host": 0.1}, "load": {"page": 0.86}}
    said = [
        in_words(taken),
        f"{shared(2, 0.5)} {CUT_SHORT}",
        f"{SAME_AGAIN} {too_long()}",
        str(BusyError()),
    ]
    shown = [chinese.evaluate("inWords", one) for one in said]
    assert shown == [
        "显示本页面的浏览器或其他程序占用了处理器：生成时 90 %、加载时 86 %；单独运行会更快。"
        "这台虚拟机的宿主机占用了处理器：生成时 10 %；没有这一点会更快。",
        "它与另外 2 个模型同时运行，因此速度是分摊后的。它得到了所需处理器时间的 50 %。"
        "它的上一个回答没有写完，已有的部分留在了它的对话历史中。",
        "它每次都取可能性最大的词元，与随机种子无关，所以回答仍会相同。想要不同的回答，请关闭贪心。"
        "提示词有 600 个词元；A. model 最多 512 个。"
        "请缩短，或提高上下文（n_ctx，此模型最多 8192）。",
        "您的对比仍在运行。请先停止，或等它结束。",
    ]
    assert chinese.evaluate("inWords", refusal("temperature", 9)).startswith(
        "temperature 的值不能是"
    )


def test_what_no_pattern_knows_stays_as_it_is(chinese: Page) -> None:
    unknown = "Somebody took 9 % of the cake; it was good. Type a prompt first; it is empty."
    assert chinese.evaluate("inWords", unknown) == (
        "Somebody took 9 % of the cake; it was good. 请先输入提示词；现在是空的。"
    )
    hostile = "<b>{who_part}</b> $1 " + "took " * 500
    assert chinese.evaluate("inWords", hostile) == hostile
    assert chinese.evaluate("inWords(undefined)") == ""


def test_an_english_page_shows_what_was_said(browser: Browser) -> None:
    page = browser.new_page(locale="en-GB")
    page.add_script_tag(content=script_alone())
    assert page.evaluate("inWords", CUT_SHORT) == CUT_SHORT
    page.close()
