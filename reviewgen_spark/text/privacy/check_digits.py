"""Checks the check digits of ID cards, bank cards and bank accounts, to distinguish them from other long numbers."""

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


def is_id_card(number: str) -> bool:
    """Checks the 18th character of a resident identity number (ISO 7064 MOD 11-2).

    Source: GB 11643-1999.

    >>> is_id_card("11010519491231002X"), is_id_card("110105194912310021")
    (True, False)
    """
    if len(number) != 18 or not number[:17].isdigit():
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number, strict=False))
    return _ID_CHECKS[total % 11] == number[17].upper()


def passes_luhn(digits: str) -> bool:
    """Checks the last digit of a card number by the Luhn algorithm.

    Source: ISO/IEC 7812-1, annex B.

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit)
        if index % 2:
            value = value * 2 - 9 * (value > 4)
        total += value
    return total % 10 == 0


_IBAN_LENGTHS = dict(
    pair.split(":")
    for pair in (
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 EE:20"
        " EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27"
        " JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 NL:18"
        " NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 SV:28 TN:24 TR:26 UA:29"
        " VA:22 VG:24 XK:20"
    ).split()
)


def is_iban(text: str) -> bool:
    """Checks the two check digits of an international bank account number (modulus 97). Blanks and dashes may be in it.

    Source: ISO 13616-1.

    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    number = "".join(c for c in text.upper() if c not in " -")
    if _IBAN_LENGTHS.get(number[:2]) != str(len(number)):
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
