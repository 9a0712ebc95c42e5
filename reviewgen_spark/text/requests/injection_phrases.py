"""Lists the phrases of instructions to a model, as patterns. `prompt_injection` decides by them.

`PATTERNS` are instructions by themselves. `REWORDED_PATTERNS` are descriptions if a subject is before them and no
order follows. `OPENING_PATTERNS` count only if an order follows at once.
"""

from typing import TypeAlias

ANY_ZH = "(?:所有|全部|一切|任何|系统|你的|原来的?|原有的?|既有的?|那些|这些)"
_VOID_EN = (
    r"(?:no longer apply|do(?: not|n't) apply any ?more|"
    r"are (?:now |hereby )?(?:void|cancell?ed|revoked|obsolete|lifted|suspended|invalid))\b"
)
BEFORE_ZH = (
    "(?:以上|之前|前面|上面|上述|前述|此前|先前|刚才|刚刚|早先|上文|前文|给你的|你收到的|你得到的|"
    "你(?:之前|先前|此前|原来|原先)|你的(?:系统|初始|原始)?)"
)
GIVEN_ZH = f"(?:{BEFORE_ZH}|{ANY_ZH})"
_BEFORE_EN = "(?:previous|prior|earlier|above|preceding|foregoing)"
_ANY_EN = "(?:all|any|every|the|your|my|these|those|of|other|system|initial|original|existing|given)"
_GIVEN_EN = f"(?:{_BEFORE_EN}|{_ANY_EN})"
_VERB_ZH = "(?:忽略|无视|忘记|忘掉|不要理会|不用管|跳过|绕过|覆盖|停止执行|不要遵守)"
_RULES_ZH = "(?:指令|指示|规则|规定|命令|要求|提示词|提示语|提示|设定|约束|限制)"
ORDERS_ZH = "(?:指令|提示词|提示语|指示|prompt|system prompt)"
_DROP_ZH = (
    "(?:忽略|无视|忽视|不顾|不理会?|别管|不管|别理|不必理会|无须理会|不要理会|不用管|跳过|绕过|覆盖|停止执行|忘记|忘掉|抛开|抛弃|丢掉|丢弃|撇开|清除|"
    "删除|清空|作废|废除|推翻|遗忘|屏蔽|不再遵[守循]|不遵[守循]|不要(?:遵[守循]|听从|执行|服从|管)|别(?:遵[守循]|听|执行|服从)|违反|违背)"
)
_FORBID_ZH = (
    "(?:不要(?:遵[守循]|听从|执行|服从|理会)|别(?:管|理|遵[守循]|听|执行|服从)|停止执行|不用管|不必理会|无须理会)"
)
FORBID_OR_DROP_ZH = f"(?:忽略|无视|忘记|忘掉|忽视|抛开|丢掉|丢弃|清除|清空|推翻|遗忘|屏蔽|{_FORBID_ZH})"
_DROPPED_ZH = (
    "(?:忘掉|忽略|无视|抛开|作废|废除|当作?没(?:看见|看到|说过|听到|听见|有)|当作?不存在|丢掉|丢开|清空|删掉|扔掉|"
    "不要管|不用管|别管|不用理会?|别理|不必理会|放一边|放到?一边|抛到脑后|抛在脑后|不再有效|不用遵守|不必遵守|不要遵守|不用听)"
)
_VERB_EN = "(?:ignore|disregard|forget|override|bypass|skip|do not follow|don't follow|stop following)"
_DROP_EN = (
    "(?:ignore|disregard|forget|override|bypass|skip|discard|neglect|dismiss|erase|abandon|set aside|put aside|"
    "cast aside|throw (?:away|out)|pay no (?:attention|heed|mind) to|never mind|"
    "do(?: not|n't) (?:obey|heed|mind|follow)|do(?: not|n't) listen to|"
    "(?:stop|cease|quit) (?:obeying|heeding|following)|no longer (?:follow|obey)|disobey|overlook)"
)
_RULES_EN = (
    "(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|commands?|constraints?|system message|"
    "programming)"
)
_YOU_WERE = "(?:you(?: were|'ve been| have been| had been| got| are)(?: just| previously)?)"
_READER = "(?:(?:ai )?(?:large )?language model|ai (?:assistant|model)|ai|llm|chatbot|chat bot|summari[sz]er)"
_READER_ZH = "(?:(?:(?<![a-z])ai|人工智能)(?:大?语言模型|大模型|聊天机器人|助手|模型)?|大?语言模型|大模型|聊天机器人)"
_TEXT_ZH = "(?:总结|摘要|概括|输出|生成)"
_ANSWER_ZH = "(?:总结|摘要|概括|回复|回答|输出|生成|文案)"
_LABELS = "(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|data|instructions?|prompt)"

_ORDER_WORDS = (
    *("instruction", "prompt", "rule", "direct", "guideline", "command", "constraint", "system", "programming"),
    *("指令", "指示", "规则", "规定", "命令", "要求", "提示", "设定", "约束", "限制"),
)
_TEXT_WORDS = ("总结", "摘要", "概括", "回复", "回答", "输出", "返回", "生成", "文案")

# Keywords stand before patterns: a text without any of them matches none of the patterns, and most texts have none.
Group: TypeAlias = "tuple[tuple[str, ...], tuple[str, ...]]"
PATTERNS: tuple[Group, ...] = (
    (
        ("<", "[", "##"),
        (
            rf"<\|?/?{_LABELS}\|?>",
            r"\[/?inst\]|<</?sys>>|(?:^|\n)[ \t]{0,9}#{3,9}[ \t]{0,9}(?:instruction|system|response|指令)\b",
        ),
    ),
    (
        ("作为", "身为"),
        (rf"(?:作为|身为)(?:一[个名款])?{_READER_ZH}[,，、 ]?(?:你|您|我(?!们)|请|必须|务必)",),
    ),
    (("as a",), (rf"\bas an? {_READER}s?,? (?:i\b|you (?:must|should|shall|will|are|have|need|only|cannot|can't)\b)",)),
    (
        ("系统提示词",),
        ("系统提示词[:：]",),
    ),
)

# The same in other words. A match after a subject is a description: "it ignores", "the seller".
REWORDED_PATTERNS: tuple[Group, ...] = (
    (
        _ORDER_WORDS,
        (
            rf"{FORBID_OR_DROP_ZH}"
            rf"(?:{ANY_ZH}){{0,2}}{BEFORE_ZH}(?:{GIVEN_ZH}){{0,2}}的?.{{0,4}}{ORDERS_ZH}",
            rf"{_FORBID_ZH}(?:{GIVEN_ZH}){{1,3}}的?.{{0,4}}(?:{ORDERS_ZH}|规则|规定|命令)",
            rf"(?<![^,，。.!！?？;；:：“\"\s请])(?:忽略|忘记|忘掉)(?:{GIVEN_ZH}){{1,3}}的?{ORDERS_ZH}(?=[,，。.!！;；“\"\s]|$)",
            rf"{BEFORE_ZH}(?:{GIVEN_ZH}){{0,2}}的?.{{0,4}}(?:{ORDERS_ZH}|规则|规定|命令)"
            rf"(?:都|全部|全都?|统统|通通|一律|现在|已经?|请|可以)*{_DROPPED_ZH}(?!了)",
            rf"\b{_DROP_EN}\s+(?:{_ANY_EN}\s+){{0,4}}{_BEFORE_EN}\s+(?:{_GIVEN_EN}\s+){{0,2}}(?:\w+\s+){{0,2}}?"
            rf"{_RULES_EN}\b(?!\s+(?:of|about|for|on|are|were|is|was|that)\b)",
            rf"\b{_DROP_EN}\s+(?:all\s+|of\s+)*your\s+(?:own\s+)?(?:system|initial|original|existing|given)\s+{_RULES_EN}\b",
            rf"\b(?:{_BEFORE_EN}|your|system)\s+{_RULES_EN}(?:\s+\w+){{0,2}}\s+{_VOID_EN}",
            rf"\b{_RULES_EN}\s+(?:{_BEFORE_EN}|before|{_YOU_WERE} (?:given|told))(?:\s+\w+){{0,2}}\s+{_VOID_EN}",
            # in two languages
            rf"{_DROP_EN}\s*(?:{_GIVEN_EN}\s*|{GIVEN_ZH}\s*){{1,5}}的?.{{0,8}}?(?:指令|指示|规则|命令|提示词|提示语)",
            rf"{_DROP_ZH}\s*(?:{_GIVEN_EN}\s*|{GIVEN_ZH}\s*){{0,4}}(?:{_BEFORE_EN}|{BEFORE_ZH})\s*"
            rf"(?:{_GIVEN_EN}\s*|{GIVEN_ZH}\s*){{0,2}}的?.{{0,8}}?(?:{_RULES_EN}|{ORDERS_ZH})",
            rf"(?<![a-z]){_DROP_EN}\s*(?:{GIVEN_ZH}\s*){{1,3}}的?.{{0,8}}?{_RULES_EN}",
            rf"{_DROP_ZH}\s*(?:all|every|any)\s*(?:{_GIVEN_EN}\s*){{0,4}}的?.{{0,8}}?{ORDERS_ZH}",
            "(?:以前|上记|上の|これまで|すべて|今まで)の?(?:すべての)?(?:指示|命令|ルール)(?:を|は)(?:すべて)?(?:无视|忘れ)",
        ),
    ),
    (
        ("prompt", "instruction"),
        (
            r"\b(?:print|reveal|show|output|repeat|display|leak|tell)\s+(?:me\s+)?(?:the\s+|all\s+|of\s+)*"
            r"(?:your\s+(?:\w+\s+)?|(?:hidden|secret|system|initial)\s+)(?:prompt|instructions)\b"
            r"(?!\s+(?!(?:and|then|now|please|above|in|to|as|verbatim)\b)\w)",
        ),
    ),
    (
        ("提示词", "指令", "prompt"),
        (
            r"(?:输出|显示|打印|告诉我|泄露|透露|复述|重复)(?:你的|全部|所有|以上|之前|系统)*"
            r"(?:你的(?:全部|所有|系统|初始)*(?:提示词|提示语|指令|prompt)|(?:系统|初始)(?:提示词|prompt))",
        ),
    ),
    (
        ("把", "将"),
        (
            rf"(?<![^,，。.!！?？;；:：“\"\s请你您在先要])(?:把|将)(?:你)?{ANY_ZH}{{0,2}}{BEFORE_ZH}{GIVEN_ZH}{{0,2}}的?.{{0,6}}"
            rf"(?:{ORDERS_ZH}|规则|规定|命令|话|对话|内容|要求|设定|说的)(?:都|全部|全都?|统统|通通|一律|给|先)*{_DROPPED_ZH}(?!了)",
            rf"(?:把|将)(?:{GIVEN_ZH}){{1,3}}的?(?:{ORDERS_ZH}|提示)(?:都|全部|原样|完整|逐字|一字不差|重新|地)*"
            "(?:输出|打印|显示|复述|重复|泄露|告诉我|发给我|发出来|说出来|写出来)",
        ),
    ),
    (
        ("你现在是", "你是", "扮演"),
        (
            "(?:你现在是|从现在起你是|从现在开始你是|(?:请你?|你(?:要|将|来|现在|需要)?|从?现在(?:开始)?)扮演|假装你是|假设你是)"
            "(?:一[个名位]).{0,12}(?:助手|模型|ai|机器人|客服|开发者|管理员|专家)(?!的|吗|[?？])",
            "(?:你现在是|从现在起你是|从现在开始你是|(?:请你?|你(?:要|将|来|现在|需要)?|从?现在(?:开始)?)扮演|假装你是|假设你是)"
            ".{0,12}(?:助手|语言模型|大模型|(?<![a-z])ai|开发者|管理员)(?!的|吗|[?？])",
        ),
    ),
    (
        ("总结",),
        ('(?:不要|别|停止|不用)总结.{0,12}[,，。;；](?:而是|请|要|你|只能?|直接)*(?:回[复答]|输出|写|说)[:：“"好]',),
    ),
    (("任务",), ("(?:你的(?:新|真正的?|唯一的?|实际的?)|现在你的|你现在的)任务(?:是|变成|改为|变为)",)),
    (
        ("从现在",),
        (
            "从现在(?:开始|起)[,，]?(?:请)?你(?:只能|只需|必须|只要|将|就|只(?=[说写]))(?:会|要|再)?(?:说|写|回[复答]|输出|生成|扮演|听|服从|是)",
        ),
    ),
    (
        _TEXT_WORDS,
        (
            "(?:请|必须|务必|只能)(?:在|把)?.{0,8}(?:回复|回答|输出|总结|摘要|概括)(?:中|里)?(?:只|仅|必须|一定要|务必)+"
            '(?:写|说|输出|包含|加上)[:“"「]',
            '(?:请|必须|务必)(?:在|把)?.{0,8}(?:回复|回答|输出|总结|摘要|概括)(?:中|里)?(?:写|说|输出|包含|加上)[:“"「]',
            "(?:输出|总结|摘要|概括|(?:回复|回答)(?:中|里|时|请))(?:中|里|时)?(?:请|必须|只能|只|仅|务必|一定要)+"
            '(?:写|说|输出|包含|加上)[:“"「]',
            rf"{_TEXT_ZH}(?:时|的时候|中|里|内容)[,，]?.{{0,6}}(?:不要|别|禁止|不得|请勿|只能|务必|必须|请[只仅])(?:只)?"
            "(?:提及|提到|写|说|包含|出现|强调|突出)",
            rf"{_ANSWER_ZH}(?:时|的时候|中|里|内容)[,，]?.{{0,6}}(?:禁止|不得|请勿|务必|必须)(?:只)?(?:提及|提到|包含|出现|强调|突出)",
            '你(?:必须|只能|务必)(?:只|要)*(?:输出|生成|回复|回答)[:“"]?(?:五星|好评|满分|[这该本]|一[个篇条])',
            "请?[以用](?:开发者|越狱|无限制|调试)模式(?:来|去)?(?:回[复答]|输出|写|生成)",
            rf"(?:请|必须|务必|只能)(?:在|把)?{_TEXT_ZH}(?:时|中|里)?.{{0,4}}(?:写成|说成|改成|改为)",
            '(?:只|仅|统一|一律|直接)(?:输出|返回|生成)[:“"「]?(?:五星|好评|满分|非常好|完美|推荐)',
            "(?:按照?|听从|服从|遵照|执行)(?:我|下面|以下|下列)的?.{0,4}(?:指令|指示|命令)(?:来|去)?(?:写|输出|回复|回答|生成)",
        ),
    ),
    (
        ("ai", "人工智能", "模型", "机器人"),
        (
            rf"(?:给|致|写给|告诉)(?:所有的?|正在阅读的|任何)?{_READER_ZH}的?(?:话|指令|提示|说明|备注|信|留言)?[:：]",
            rf"(?:如果|假如|若|只要)(?:你|您)(?:是|作为)(?:一[个名款])?{_READER_ZH}(?=[,，。.;；:：!！请你必就]|的话|$)",
            rf"{_READER_ZH}(?:(?:们?请注意|(?:请|你|们)?(?:听好|听着|记住))[:：,，!！]|(?:们?请|你)?(?:必须|务必)(?:只|都|全部)?"
            "(?:写|说|输出|给出?[五5满好]|打[五5满]))",
        ),
    ),
    (
        ("everything", "anything", "whatever", "what", " all", "that", "thing"),
        (
            rf"\b{_DROP_EN}\s+(?:all |any |the )*(?:of )?(?:everything|anything|whatever|what|all|that|things?)\s+"
            rf"(?:that )?(?:{_YOU_WERE} (?:told|taught|instructed|given|asked|ordered)\s+"
            r"(?:before|earlier|above|so far|until now|previously)\b(?! \w)|"
            r"(?:came|was|is|written|stated|said|stands) (?:above|before|earlier)\b)",
            rf"\b{_DROP_EN}\s+(?:everything|anything|all) (?:above|preceding|prior to this|before this)"
            r"\s*(?:[,.;:!\n]|and\b|then\b|$)",
        ),
    ),
    (
        ("you are now",),
        (
            r"\byou are now\s+(?:an?|the)\b.{0,40}\b(?:assistant|language model|ai|bot|dan)\b"
            r"|\byou are now dan\b"
            r"|\byou are now\s+in\s+(?:\w+\s+)?(?:developer|dan|jailbreak|god|debug|unrestricted)\s+mode\b",
        ),
    ),
    (
        ("your task", "following your", "doing your"),
        (r"\b(?:instead of|rather than) (?:following your|doing your task|your task)",),
    ),
    (
        ("respond", "reply", "answer", "summari"),
        (
            r"\b(?:respond|reply|answer|summari[sz]e)\s+"
            r"(?:(?:with|by saying|by writing)\s*:|only\s+(?:with|by saying|by writing)\s*[\"'“])",
            r"\bwhen (?:you )?(?:summari[sz](?:e|ing)|generating|generate) (?:this|the|these|a|your) "
            r"(?:reviews?|summary|summaries|text|output|reply)\b.{0,20}\b(?:say|write|mention|include|state|claim|output)\b",
        ),
    ),
    (
        ("when summari",),
        (
            r"\bwhen summari[sz]ing,? (?:please |only |always |just ){0,2}"
            r"(?:say|write|state|claim|praise|mention only|do not|don't|never mention)\b",
        ),
    ),
    # The answer of a model, so that a reader takes it for its own.
    (
        ("assistant",),
        (r"(?:^|\n)[ \t]{0,9}assistant ?: ?(?:sure|certainly|of course|here(?: is|'s)|absolutely)[,!. ]",),
    ),
    (
        ("summary", "output", "generated"),
        (
            r"\b(?:the|your) (?:summary|output|generated text) (?:must|should|has to|shall) "
            r"(?:(?:only|just|always) (?:say|state|contain|include|mention|claim)|say|claim)\b",
        ),
    ),
    (
        (" ai", "llm", "language model", "chatbot", "chat bot", "assistant", "summari"),
        (
            r"\b(?:dear|hello|attention|note to|message to|instructions? (?:to|for)) (?:the |any |all |every )?"
            rf"{_READER}s?\s*[,:!]",
            rf"\bif you are (?:an? |the )?{_READER}(?:\s*[,:;!.]|$|"
            r"\s+(?:reading|processing|summari\w+|writing|and|that|please|say|praise)\b)",
            r"\b(?:pretend|imagine|act as if)\s+(?:to be|that you are|you are|you're|you were)\s+"
            rf"(?:\w+\s+){{0,3}}(?:{_READER}|assistant)\b(?!\s+\w)",
        ),
    ),
    (
        ("ignor",),
        (
            r"\bignora(?:r|d)?\s+(?:todas?\s+)?(?:las\s+|tus\s+)?(?:instrucciones|reglas|indicaciones)\b",
            r"\bignore[zr]?\s+(?:toutes?\s+)?(?:les\s+|tes\s+|vos\s+)?(?:instructions|consignes|regles)\s+"
            "(?:precedentes|anterieures|ci-dessus)",
            r"\bignorier(?:e|en|t)\s+(?:alle\s+|die\s+|deine\s+|sie\s+)*(?:vorherigen|obigen|bisherigen|vorigen)\s+"
            "(?:anweisungen|regeln|befehle)",
        ),
    ),
)
# Ordinary reviews use these phrases too: "Forget the instructions", "System: works well". An order must follow.
OPENING_PATTERNS: tuple[Group, ...] = (
    (
        _ORDER_WORDS,
        (
            rf"{_DROP_ZH}{GIVEN_ZH}{{1,3}}的?.{{0,6}}(?:{_RULES_ZH}|{ORDERS_ZH})",
            rf"{GIVEN_ZH}{{1,3}}的?.{{0,4}}(?:{_RULES_ZH}|{ORDERS_ZH})(?:都|全部|全都?|统统|通通|一律|现在|已经?|请|可以)*{_DROPPED_ZH}了?",
            rf"\b{_DROP_EN}\s+(?:{_GIVEN_EN}\s+){{1,5}}(?:\w+\s+){{0,2}}?{_RULES_EN}\b",
        ),
    ),
    (
        ("system", "assistant", "系统", "助手", "prompt", " mode", "instruction", "new task", "新任务", "指令", "模式"),
        (
            r"(?:^|\n|[.。!！?？>])[ \t]{0,9}#{0,9}[ \t]{0,9}(?:system|assistant|系统|助手)\s*[:：]",
            r"\b(?:system prompt|developer mode|jailbreak mode|new instructions?|begin new task|new task)\s*[:=]",
            "(?:系统消息|系统指令|系统提示|开发者模式|越狱模式|新的?指令|新任务)[:：是为]",
        ),
    ),
    (
        ("内容", "文字", "文本", "对话", "信息"),
        (rf"{_DROP_ZH}{ANY_ZH}{{0,2}}{BEFORE_ZH}{GIVEN_ZH}{{0,2}}的?(?:评论)?(?:内容|文字|文本|对话|信息)",),
    ),
    (
        ("above", "previous", "preceding", "foregoing"),
        (
            rf"\b{_DROP_EN}\s+(?:all |everything |of |the ){{0,3}}{_BEFORE_EN}"
            r"(?: (?:text|content|reviews?|messages?|conversation|input))?",
        ),
    ),
    (
        ("told", "taught", "instructed", "given", "asked", "ordered"),
        (
            rf"\b{_DROP_EN}\s+(?:all |any |the )*(?:of )?(?:everything|anything|whatever|what|all|that|things?)\s+"
            rf"(?:that )?{_YOU_WERE} (?:told|taught|instructed|given|asked|ordered)\b",
        ),
    ),
    (
        ("your ", "from now on", "summari", "ai", "hey "),
        (
            r"\byour (?:new|real|actual|only|true) (?:task|job|goal|purpose|role|objective|instructions?) "
            r"(?:is|are|now)\b",
            r"\bfrom now on,?(?= you\b)",
            r"\b(?:instead of|rather than) summari[sz]ing(?: (?:it|this|these|the|them|reviews?|text))*",
            r"\bwhen (?:you )?(?:writing|write|summari[sz](?:e|ing)) (?:this|the|these|a|your) "
            r"(?:reviews?|summary|summaries|text|output|reply)\b(?=,? (?:you|please|only|always|never|do not|must)\b)",
            rf"\b(?:hey|hello) (?:the |any |all |every )?(?:{_READER}|assistant)s?\b",
        ),
    ),
)
