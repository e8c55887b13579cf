"""A sentence in a long text, to be found again: what a model still knows of the begin of a prompt.

The text is our own, made of parts by counting, so that no sentence comes twice and no model has it
by heart. Lengths are in words (English) or characters (Chinese): tokens are each model's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from comparator.storage.kept_suite import Assertion, Item

_ENGLISH = (
    (
        "The baker on the corner", "An old sailor", "Our neighbour's daughter", "The night porter",
        "A teacher from the next village", "The woman with the green umbrella",
        "The gardener of the park", "A student of botany", "The driver of the last bus",
        "My uncle from the coast", "The owner of the small bookshop",
    ),
    (
        "walks along the river", "repairs a wooden chair", "writes a long letter",
        "waits for the morning train", "feeds the ducks", "carries two baskets of plums",
        "reads about distant mountains", "paints the garden fence", "plays the same quiet song",
        "looks for a lost glove", "tells a story about the lighthouse", "counts the passing boats",
        "sweeps the yard",
    ),
    (
        "when the rain has stopped", "before the shops open", "on the first day of spring",
        "while the kettle is boiling", "after a long day of work", "although nobody has asked",
        "as long as there is light",
    ),
)  # fmt: skip
_CHINESE = (
    (
        "街角的面包师", "一位老船长", "邻居家的女儿", "值夜班的门卫", "邻村的一位老师",
        "打着绿伞的妇人", "公园里的园丁", "学植物的学生", "末班车的司机", "住在海边的舅舅",
        "小书店的老板",
    ),
    (
        "沿着河边散步", "修理一把木椅子", "写一封很长的信", "等早晨的火车", "给鸭子喂食",
        "提着两篮李子回家", "读关于远山的书", "粉刷花园的篱笆", "弹同一首安静的曲子",
        "寻找丢失的手套", "讲灯塔的故事", "数过往的船只", "打扫院子",
    ),
    (
        "在雨停了以后", "在店铺开门之前", "在立春那一天", "在水还没烧开的时候",
        "在忙了一整天之后", "虽然没有人请求", "趁着天还亮",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Needle:
    """What is hidden, and where.

    Attributes:
        id: of the item.
        language: ``English`` or ``Chinese``.
        length: of the text around it, in words or characters.
        depth: where it stands in the text, from 0 (begin) to 1 (end).
        code: the digits to be found.
    """

    id: str
    language: str
    length: int
    depth: float
    code: str


NEEDLES = (
    Needle("en-needle-450-middle", "English", 450, 0.5, "7391"),
    Needle("en-needle-1350-begin", "English", 1350, 0.1, "4826"),
    Needle("en-needle-1350-middle", "English", 1350, 0.5, "9057"),
    Needle("en-needle-1350-end", "English", 1350, 0.9, "3648"),
    Needle("zh-needle-450-middle", "Chinese", 450, 0.5, "2859"),
    Needle("zh-needle-900-begin", "Chinese", 900, 0.1, "6174"),
    Needle("zh-needle-900-middle", "Chinese", 900, 0.5, "8403"),
    Needle("zh-needle-900-end", "Chinese", 900, 0.9, "5732"),
)


def item_of(needle: Needle) -> Item:
    """Return the prompt that hides a needle and asks for it."""
    is_english = needle.language == "English"
    if is_english:
        hidden = f"The code of the blue locker is {needle.code}."
        begin, end = "Read this text.", "What is the code of the blue locker? Answer with the code."
    else:
        hidden = f"蓝色储物柜的密码是{needle.code}。"
        begin, end = "请阅读下面的文字。", "蓝色储物柜的密码是什么？只回答密码。"
    text = _hide(hidden, filler(needle.language, needle.length), needle)
    return Item(
        needle.id,
        [{"role": "user", "content": f"{begin}\n\n{text}\n\n{end}"}],
        needle.code,
        [Assertion("regex", rf"(?<!\d){needle.code}(?!\d)")],
        ["long text", needle.language],
    )


def filler(language: str, length: int) -> list[str]:
    """Return sentences without any digit, together of at least this length, none of them twice."""
    who, what, when = _ENGLISH if language == "English" else _CHINESE
    sentences: list[str] = []
    for number in count():  # 11, 13 and 7 have no common factor: a thousand sentences
        parts = (who[number % 11], what[number % 13], when[number % 7])
        sentences.append(_sentence(language, *parts))
        if sum(_length(language, one) for one in sentences) >= length:
            return sentences
    return sentences


def _sentence(language: str, who: str, what: str, when: str) -> str:
    return f"{who} {what} {when}." if language == "English" else f"{who}{when}{what}。"


def _length(language: str, text: str) -> int:
    return len(text.split()) if language == "English" else len(text)


def _hide(hidden: str, sentences: list[str], needle: Needle) -> str:
    place = round(needle.depth * len(sentences))
    space = " " if needle.language == "English" else ""
    return space.join([*sentences[:place], hidden, *sentences[place:]])
