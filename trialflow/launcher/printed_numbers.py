"""Numbers in what a model prints, and the expressions that read them: which number a match has taken, and whether it is a whole one. Pure."""

import re

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|NaN|NAN|inf|Inf|INF|infinity|Infinity)"
ANY_NUMBER = NUMBER + r"(?!\w)"
"""The same, and nan and inf only as words: for expressions that were not written with them in mind."""
PLACEHOLDER = "{number}"
GOES_ON = re.compile(r"\.?\d|\.?[eE][-+]?\d")
BEGINS_BEFORE = re.compile(r"(?:\d\.?|(?<![\w.])[-+]|\d[eE][-+]?|\.)$")
THOUSANDS_FOLLOW = re.compile(r"[,_']\d{3}(?!\d)")
THOUSANDS_BEFORE = re.compile(r"(?<![\d.,])\d{1,3}(?:[,_']\d{3})*[,_']$")
TOKENS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\??|\)", re.DOTALL)
LABEL = re.compile(r"\w*\W*$")
LABEL_LENGTH = 40


def expanded(pattern):
    """The expression with `{number}` written out. It is the group itself in an expression that has no other."""
    inner = pattern.replace(PLACEHOLDER, "(?:" + NUMBER + ")")
    try:
        has_group = re.compile(inner).groups > 0
    except re.error:
        has_group = True
    return inner if has_group else pattern.replace(PLACEHOLDER, "(" + NUMBER + ")")


def for_any_number(pattern):
    """The expression with every number in the place of its first group; None if it has none, or that reads every number already."""
    depth, begin = 0, None
    for token in TOKENS.finditer(pattern):
        text = token.group()
        if text == ")":
            depth -= 1
            if begin and depth < begin[1]:
                inner = pattern[begin[0] : token.start()]
                return None if NUMBER in inner else pattern[: begin[0]] + ANY_NUMBER + pattern[token.start() :]
        elif text[0] == "(":
            depth += 1
            if begin is None and (text == "(" or text.startswith("(?P<")):
                begin = token.end(), depth
    return None


def stops_inside_a_number(match):
    """Whether the group took a part of a number, and nothing in the expression says that it should."""
    line, (start, end) = match.string, match.span(1)
    goes_on = match.end() == end and GOES_ON.match(line, end) is not None
    return goes_on or (match.start() == start and BEGINS_BEFORE.search(line, max(0, start - 8), start) is not None)


def stops_at_thousands(match):
    """Whether the group took a part of a number with separators between its thousands, and nothing in the expression says that it should."""
    line, (start, end) = match.string, match.span(1)
    number = match.group(1).lstrip("+-")
    goes_on = number.isdigit() and len(number) <= 3 and line[start - 1 : start] != "," and THOUSANDS_FOLLOW.match(line, end)
    if match.end() == end and goes_on:
        return True
    is_group = len(number.partition(".")[0]) == 3 and match.start() == start
    return is_group and THOUSANDS_BEFORE.search(line, max(0, start - LABEL_LENGTH), start) is not None


def label_of(match):
    """The word before a number and what stands between them, as far as it is the same from line to line."""
    start = match.start(1)
    label = LABEL.search(match.string, max(0, start - LABEL_LENGTH), start).group()
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", label))


def around(match):
    """The number of a match with a little of what stands around it."""
    return match.string[max(0, match.start(1) - 20) : match.end(1) + 20]
