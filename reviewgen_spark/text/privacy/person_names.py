"""Finds names of persons behind a word that announces them: 收件人：李华. Names elsewhere are not searched."""

import re

from reviewgen_spark.text.privacy.pattern import Pattern

_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦马苗方俞任袁柳鲍史唐费岑薛雷贺倪汤滕殷罗毕郝邬安常于傅卞"
    "齐康伍余顾孟黄穆萧尹姚邵汪祁毛狄米贝臧计成戴宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季贾路江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房丁邓洪包左石崔吉"
    "龚程嵇邢裴陆荣翁荀甄曲封储靳段焦侯宁仇甘厉祖武符刘景詹龙叶黎白蒲赖卓屠池乔闻党翟谭姬申冉桑牛寿边燕尚温庄晏柴瞿阎连习鱼向古易廖庾步文寇广欧沃聂敖冷辛简饶"
    "曾沙关查游权岳付肖闫覃"
)
_COMPOUND = "欧阳|司马|上官|诸葛|司徒|东方|皇甫|尉迟|公孙|慕容|令狐|夏侯|端木|独孤|南宫"
# Words that begin with a surname. They are no names: 收件人方便, 联系人高兴.
_WORDS = (
    "方便|方面|方式|方法|高兴|高手|高度|万一|平安|安全|安排|周末|周边|时间|金额|何时|何人|何处|水平|常常|经常|白天|黄色|严重|顾客|单位|应该|于是|成功|成员|成了"
    "|明明|任何|任意|解决|包装|包裹|包括|温馨|温柔|石头|马上|向来|项目|文字|文件|关系|关于|关机|连续|连电|简直|简单|曾经|范围|宋体|和气|计算|易碎|左右|管理"
    "|路上|路过|江湖|毛病|费用|权限|查询|查不|查看|查收|边上|莫名|尚未|广告|古怪|步行|许多|殷勤|华为|满意|游客|牛奶|米饭|熊孩子|张冠|黑名单|段时间|连名|白跑|白等|白费"
)
_TITLE = "先生|女士|小姐|太太|老师|阿姨|大哥"
_HAN = "\u4e00-\u9fff"
_END = rf"(?=[^{_HAN}·.]|$|电话|手机|联系|收|地址|住|{_TITLE}|号码|的电|的手|签)"
_NAME = (
    rf"(?!{_WORDS})(?:(?:{_COMPOUND})[{_HAN}]{{1,2}}?|[{_SURNAMES}](?:{_TITLE}|[{_HAN}]{{1,2}}?)"
    rf"|[{_HAN}]{{2,5}}[·.][{_HAN}]{{2,6}})"
    rf"(?:{_TITLE})?{_END}"
)
_ANNOUNCED = (
    r"(?:(?:[收寄] ?件 ?人|[收发] ?货 ?人|联 ?系 ?人)的?(?:姓名|名字)?(?:(?:写的)?是|为|叫做?| ?[:：=] ?| )?"
    rf"|(?:收件|收货|(?<![{_HAN}]))姓名(?:是|为| ?[:：=] ?| ))"
    rf"(?P<id>{_NAME})"
)

# Two or three capitalised words behind an English label. "Product name: …" is no label of a person.
_ENGLISH = (
    r"(?<![A-Za-z])(?:[Rr]ecipient|(?<![a-z] )Name|(?:[Ff]ull|[Mm]y) name)"
    r"(?:'s name| name)?(?: ?[:：=] ?| is )(?P<id>[A-Z][a-z]+(?: [A-Z]\.?)?(?: [A-Z][A-Za-z'\-]+){1,2})(?![A-Za-z])"
)

NAMES = (Pattern("NAME", re.compile(_ANNOUNCED)),)
ENGLISH_NAMES = (Pattern("NAME", re.compile(_ENGLISH)),)
HINT = re.compile("[人名](?:(?<=[件货系]人)|(?<=[件货系] 人)|(?<=姓名))")
"""Matches a word that announces a name, as a fast check."""
ENGLISH_HINTS = ("ame: ", "ame is ", "ecipient")
"""One of these is before every English name."""
