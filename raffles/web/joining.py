"""Where the two joiners (U+200C, U+200D) change how text reads, and are therefore allowed.

RFC 5892, A.1 and A.2, and emoji sequences (UTS #51). Elsewhere they are invisible, and two names
that differ by one look the same.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
_VIRAMA = 9  # a canonical combining class
_SELECTOR = "\ufe0f"  # "shown as an emoji"


def _signs(ranges: str) -> re.Pattern[str]:
    """Return a character class of the ranges, given in hexadecimal: `620 62A-62E`."""
    bounds = (each.partition("-") for each in ranges.split())
    inner = "".join(
        f"{re.escape(chr(int(first, 16)))}-{re.escape(chr(int(last or first, 16)))}"
        for first, _, last in bounds
    )
    return re.compile(f"[{inner}]")


# Of DerivedJoiningType.txt, Unicode 16: letters that join on both sides, to the left alone (L) and
# to the right alone (R). What is transparent is said by its category.
_BOTH = """
620 626 628 62A-62E 633-63F 641-647 649-64A 66E-66F 678-687 69A-6BF 6C1-6C2 6CC 6CE 6D0-6D1
6FA-6FC 6FF 712-714 71A-71D 71F-727 729 72B 72D-72E 74E-758 75C-76A 76D-770 772 775-777 77A-77F
7CA-7EA 841-845 848 84A-853 855 860 862-865 868 886 889-88D 88F 8A0-8A9 8AF-8B0 8B3-8B8 8BA-8C8
1807 1820-1878 1887-18A8 18AA A840-A871 10AC0-10AC4 10AD3-10AD6 10AD8-10ADC 10ADE-10AE0
10AEB-10AEE 10B80 10B82 10B86-10B88 10B8A-10B8B 10B8D 10B90 10BAD-10BAE 10D01-10D21 10D23
10EC3-10EC4 10EC6-10EC7 10F30-10F32 10F34-10F44 10F51-10F53 10F70-10F73 10F76-10F81 10FB0
10FB2-10FB3 10FB8 10FBB-10FBC 10FBE-10FBF 10FC1 10FC4 10FCA 1E900-1E943
"""
_LEFT = "A872 10ACD 10AD7 10D00 10FCB"
_RIGHT = """
622-625 627 629 62F-632 648 671-673 675-677 688-699 6C0 6C3-6CB 6CD 6CF 6D2-6D3 6D5 6EE-6EF 710
715-719 71E 728 72A 72C 72F 74D 759-75B 76B-76C 771 773-774 778-779 840 846-847 849 854 856-858
867 869-86A 870-882 88E 8AA-8AC 8AE 8B1-8B2 8B9 10AC5 10AC7 10AC9-10ACA 10ACE-10AD2 10ADD 10AE1
10AE4 10AEF 10B81 10B83-10B85 10B89 10B8C 10B8E-10B8F 10B91 10BA9-10BAC 10D22 10EC2 10F33 10F54
10F74-10F75 10FB4-10FB6 10FB9-10FBA 10FBD 10FC2-10FC3 10FC9
"""
_BEFORE = _signs(_BOTH + _LEFT)
_BEHIND = _signs(_BOTH + _RIGHT)
# Of emoji-data.txt: the pictographs that sequences are made of; without letters in circles, cards
# and the like.
_PICTOGRAPH = _signs("""
2194-2199 231A-231B 23E9-23F3 25B6 25C0 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623
2626 262A 262E-262F 2638-263A 2640 2642 2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F
2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB 26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF
26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 2708-270D 270F 2712 2714 2716 271D
2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797 27A1 27B0 27BF
2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 1F300-1F3FA 1F400-1F64F 1F680-1F6FF 1F7E0-1F7EB
1F90C-1F9FF 1FA70-1FAFF
""")
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff]")  # the tone of a skin


def is_joiner_wanted(text: str, at: int) -> bool:
    """Return whether the joiner at a position of the text is allowed there."""
    before, behind = text[:at], text[at + 1 :]
    if before and unicodedata.combining(before[-1]) == _VIRAMA:
        return True
    if text[at] == ZWNJ:
        first = next((sign for sign in reversed(before) if not _is_transparent(sign)), "")
        second = next((sign for sign in behind if not _is_transparent(sign)), "")
        return bool(_BEFORE.fullmatch(first) and _BEHIND.fullmatch(second))
    before = before.removesuffix(_SELECTOR)
    if _MODIFIER.fullmatch(before[-1:]):
        before = before[:-1]
    return bool(_PICTOGRAPH.fullmatch(before[-1:]) and _PICTOGRAPH.match(behind))


def _is_transparent(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Me")
