"""Two pieces of code in one HTML table: the same lines aligned, what differs marked.

The standard library finds what differs, Pygments colours it, with the classes that the page's style sheet has for its other code.
"""

from difflib import SequenceMatcher
from html import escape
from io import StringIO

from pygments import lex
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ALIKE = 0.5  # lines of which this share is the same stand beside each other, as two versions of one line


def side_by_side(left: str, right: str, names: tuple[str, str]) -> str:
    """An HTML table of two columns, headed `names`, of the Python code `left` and `right`, without an empty line in it.

    Rows have the class `same` or `differs`; in those that differ, words that the other side lacks stand in <mark>.
    """
    left, right = _lines(left), _lines(right)
    heads = "".join(f'<th scope="col" role="columnheader">{escape(name)}</th>' for name in names)
    rows = [_row(*(None if i is None else side[i] for side, i in zip((left, right), pair, strict=True)), names)
            for pair in aligned([_text(line) for line in left], [_text(line) for line in right])]  # fmt: skip
    return (
        f'<table class="pair highlight" role="table"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>'
    )


def aligned(left: list[str], right: list[str]) -> list[tuple[int | None, int | None]]:
    """Which lines stand beside each other: pairs of line numbers from 0, both ascending, None where a side has no line.

    Lines that are the same are found first; between two of these, those that are alike (`ALIKE`), as many as can be.
    """
    pairs = []
    for kind, i, i_end, j, j_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs += zip(range(i, i_end), range(j, j_end), strict=True)
        else:
            pairs += [
                (None if a is None else i + a, None if b is None else j + b)
                for a, b in _alike(left[i:i_end], right[j:j_end])
            ]
    return pairs


def _alike(left, right):
    """The alignment of two short lists of lines with the largest sum of likeness."""
    best = {(len(left), j): (0.0, [(None, b) for b in range(j, len(right))]) for j in range(len(right) + 1)}
    for i in range(len(left) - 1, -1, -1):
        best[i, len(right)] = (0.0, [(a, None) for a in range(i, len(left))])
        for j in range(len(right) - 1, -1, -1):
            without_left, without_right = best[i + 1, j], best[i, j + 1]
            choices = [(without_left[0], [(i, None), *without_left[1]])]
            choices.append((without_right[0], [(None, j), *without_right[1]]))
            likeness = SequenceMatcher(None, left[i].strip(), right[j].strip(), autojunk=False).ratio()
            if left[i].strip() and right[j].strip() and likeness >= ALIKE:
                score, rest = best[i + 1, j + 1]
                choices.append((score + likeness, [(i, j), *rest]))
            best[i, j] = max(choices, key=lambda choice: choice[0])
    return best[0, 0][1]


def _lines(code):
    """The code's lines, each a list of Pygments tokens (type, text); an empty line is an empty list."""
    lines = [[]]
    for kind, text in lex(code.rstrip("\n"), PythonLexer()):
        first, *more = text.split("\n")
        lines[-1].append((kind, first))
        lines += [[(kind, part)] for part in more]
    lines = [[(kind, text) for kind, text in line if text] for line in lines]
    return lines if lines[-1] else lines[:-1]


def _text(line):
    return "".join(text for _, text in line)


def _row(left, right, names):
    same = left is not None and right is not None and _text(left) == _text(right)
    # For who hears it: colour alone does not say that a line differs.
    said = "" if same else '<span class="differs-word">differs: </span>'
    cells = ""
    for side, other, name in ((left, right, names[0]), (right, left, names[1])):
        if side is None:
            cells += '<td role="cell" class="none"></td>'
            continue
        indent = len(_text(side)) - len(_text(side).lstrip())  # for the style sheet: where a long line goes on
        code = f'<code style="--indent: {indent}ch">{said}{_code(side, other)}</code>'
        cells += f'<td role="cell" class="code" data-letter="{escape(name[0])}">{code}</td>'
    return f'<tr role="row" class="{"same" if same else "differs"}">{cells}</tr>'


def _code(line, other):
    """One line's HTML. Where the other side has a version of it, only the words that this one lacks there are marked."""
    words = [(kind, word) for kind, text in line for word in _words(text)]
    marked = set()
    if other is not None:
        others = [word for _, text in other for word in _words(text)]
        matches = SequenceMatcher(None, [word for _, word in words], others, autojunk=False).get_opcodes()
        marked = {k for kind, i, end, _, _ in matches if kind != "equal" for k in range(i, end) if words[k][1].strip()}
    html, k = "", 0
    while k < len(words):
        end = k + 1
        while end < len(words) and (end in marked) == (k in marked):
            end += 1
        part = StringIO()
        HtmlFormatter(nowrap=True).format(words[k:end], part)
        text = part.getvalue().rstrip("\n")
        html += f"<mark>{text}</mark>" if k in marked else text
        k = end
    return html


def _words(text):
    """A token's words and the spaces between them: strings and comments are long tokens."""
    words = text.split(" ")
    return [piece for i, word in enumerate(words) for piece in ([" "] if i else []) + [word] if piece]
