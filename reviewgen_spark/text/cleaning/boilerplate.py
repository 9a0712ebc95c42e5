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
automaticpositivereview defaultgoodreview nocommentprovided nocommentsprovided nocommentleft
nowrittenreview thecustomerdidnotleaveacomment thecustomerdidnotleaveareview customerleftnocomment
thisuserleftnocomment theuserleftnoreview thereviewerdidnotleaveacomment theuserdidnotwriteareview
nocontent noreviewcontent
"""
_TEXTS = frozenset(_DEFAULTS.split())
_WHO = "(?:[该此本这]?(?:个|位|名)?(?:用户|买家|客户|顾客|评价方|评论方|对方|会员|消费者|购买者)|您|你)"
_STARS = "(?:全|[5五]颗?)?星?"
_RATED = (
    rf"(?:系统|平台|商城|淘宝|天猫|京东)?(?:已|将)?(?:自动|默认)?(?:为|给予?出?|做出|作出)?(?:您|你)?"
    rf"{_STARS}(?:好评|评价)?{_STARS}"
)
_PATTERN = re.compile(
    rf"(?:{_WHO}){{0,2}}(?<=.)(?:在?(?:\d{{1,3}}|十五|三十)天内|超时|暂时?|还|尚|并)?(?:没有|没|未)(?:能|有)?(?:及时)?"
    r"(?:填写|做出|作出|留下|发表|输入|提交|给出|进行|写下?)?(?:任何|文字|其他|商品|具体|相关)*(?:评价|评论|评语|内容)(?:的?内容)?"
    rf"(?:超时)?{_RATED}"
    rf"|(?:{_WHO})?(?:超时|逾期|过期)未(?:做出|作出|填写)?(?:评价|评论)?{_RATED}"
    rf"|(?:此|本|该)?(?:条|次)?(?:评价|评论)(?:内容)?(?:为空|未填写|由系统(?:自动|默认)(?:生成|给出|评价))"
)
_MAX_CHARS = 40  # longer texts are not checked, because no default review is longer


def is_boilerplate_key(key: str) -> bool:
    """Checks whether a text in key form is a default review and nothing else.

    >>> is_boilerplate_key("此用户没有填写评价"), is_boilerplate_key("默认好评质量不错")
    (True, False)
    """
    return len(key) <= _MAX_CHARS and (key in _TEXTS or _PATTERN.fullmatch(key) is not None)
