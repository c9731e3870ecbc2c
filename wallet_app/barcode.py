"""Code 128, the linear barcode that every till's scanner reads; digits in pairs (set C). Pure."""

from typing import Final

#: The widths of the bars and spaces of each symbol (ISO/IEC 15417), bar first; the last is the stop.
_WIDTHS: Final = [
    "212222",
    "222122",
    "222221",
    "121223",
    "121322",
    "131222",
    "122213",
    "122312",
    "132212",
    "221213",
    "221312",
    "231212",
    "112232",
    "122132",
    "122231",
    "113222",
    "123122",
    "123221",
    "223211",
    "221132",
    "221231",
    "213212",
    "223112",
    "312131",
    "311222",
    "321122",
    "321221",
    "312212",
    "322112",
    "322211",
    "212123",
    "212321",
    "232121",
    "111323",
    "131123",
    "131321",
    "112313",
    "132113",
    "132311",
    "211313",
    "231113",
    "231311",
    "112133",
    "112331",
    "132131",
    "113123",
    "113321",
    "133121",
    "313121",
    "211331",
    "231131",
    "213113",
    "213311",
    "213131",
    "311123",
    "311321",
    "331121",
    "312113",
    "312311",
    "332111",
    "314111",
    "221411",
    "431111",
    "111224",
    "111422",
    "121124",
    "121421",
    "141122",
    "141221",
    "112214",
    "112412",
    "122114",
    "122411",
    "142112",
    "142211",
    "241211",
    "221114",
    "413111",
    "241112",
    "134111",
    "111242",
    "121142",
    "121241",
    "114212",
    "124112",
    "124211",
    "411212",
    "421112",
    "421211",
    "212141",
    "214121",
    "412121",
    "111143",
    "111341",
    "131141",
    "114113",
    "114311",
    "411113",
    "411311",
    "113141",
    "114131",
    "311141",
    "411131",
    "211412",
    "211214",
    "211232",
    "2331112",
]
_START_C: Final = 105
_STOP: Final = 106
#: The light on either side, in modules; scanners want ten.
_QUIET: Final = 10
_HEIGHT: Final = 44


def symbols(digits: str) -> list[int]:
    """Start, the pairs, the check symbol, stop. `digits` are Latin, an even number of them."""
    assert digits.isascii(), "Latin digits"
    assert digits.isdigit(), "digits"
    assert len(digits) % 2 == 0, "pairs"
    data = [int(digits[i : i + 2]) for i in range(0, len(digits), 2)]
    check = (_START_C + sum(place * value for place, value in enumerate(data, 1))) % 103
    return [_START_C, *data, check, _STOP]


def svg(digits: str) -> str:
    """The barcode as an SVG element. Who cannot see it has the digits beside it."""
    bars, x = [], _QUIET
    for symbol in symbols(digits):
        for i, width in enumerate(int(w) for w in _WIDTHS[symbol]):
            if i % 2 == 0:
                bars.append(f"M{x} 0h{width}v{_HEIGHT}h-{width}z")
            x += width
    whole = x + _QUIET
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {_HEIGHT}" preserveAspectRatio="none"'
        f' aria-hidden="true" focusable="false" shape-rendering="crispEdges"><path fill="#000" d="{"".join(bars)}"/></svg>'
    )
