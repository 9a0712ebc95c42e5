"""Detects default reviews, which a shop publishes if the customer wrote nothing."""

import re

# Texts in the form of `cleaner.key_of`: simplified, lower case, without marks and spaces.
_DEFAULTS = """
此用户没有填写评价 此用户没有填写评价内容 该用户没有填写评价 该用户未填写评价 该用户未填写评价内容 此用户未填写评价
此用户未填写评价内容 该用户没有填写评价内容 用户没有填写评价 用户未填写评价 用户未填写评价内容 用户没有填写评价内容
用户未及时填写评价 该用户觉得商品很好 该用户觉得商品较好 该用户觉得商品非常好 该用户觉得商品很好给出了5星好评
用户默认好评 默认好评 系统默认好评 系统默认评价 默认评价 自动好评 系统自动好评 系统自动评价 自动评价 默认五星好评
系统默认五星好评 系统默认5星好评 评价方未及时做出评价系统默认好评 评价方未及时作出评价系统默认好评
评价方未及时做出评价系统默认好评五星 买家未及时评价系统默认好评 买家未及时做出评价系统默认好评
买家未评价系统默认好评 15天内买家未作出评价 15天内买家未做出评价 十五天内买家未作出评价 超时未评价系统默认好评
超时默认好评 客户未及时评价系统默认好评 用户未及时评价系统默认好评 此用户未及时评价系统默认好评 好评 五星好评
5星好评 默认 此评价为系统默认评价 此条评价为系统默认评价 未填写评价内容 未填写评价 暂无评价 暂无评价内容
没有评价内容 无评价内容 无内容 这个用户很懒什么都没有留下 这个用户很懒什么也没留下 该用户很懒什么都没留下
此用户很懒什么都没留下 本次评价为系统默认好评 noreview nocomment nocomments noreviewtext theuserdidnotleaveacomment
thebuyerdidnotleaveacomment thisuserdidnotleaveareview thisuserhasnotwrittenareview defaultpositivereview
automaticpositivereview defaultgoodreview
"""
_TEXTS = frozenset(_DEFAULTS.split())
_PATTERN = re.compile(
    r"(?:[该此本]?(?:用户|买家|客户|评价方|会员)){1,2}(?:在?\d{1,3}天内)?(?:没有|没|未)(?:及时)?(?:填写|做出|作出|留下|发表|写)?(?:任何)?(?:文字)?(?:评价|评论)(?:内容)?"
    r"(?:系统|平台)?(?:自动|默认)?(?:给出?|为)?(?:[5五]星)?(?:好评|评价)?(?:[5五]星)?"
)
_MAX_CHARS = 40  # longer texts are not checked, because no default review is longer


def is_boilerplate_key(key: str) -> bool:
    """Checks whether a text in key form is a default review and nothing else.

    >>> is_boilerplate_key("此用户没有填写评价"), is_boilerplate_key("默认好评质量不错")
    (True, False)
    """
    return len(key) <= _MAX_CHARS and (key in _TEXTS or _PATTERN.fullmatch(key) is not None)
