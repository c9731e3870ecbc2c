"""Telephones and member numbers as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.people import digits, numbers, phones

PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("09121234567", "+989121234567"),
        ("۰۹۱۲ ۱۲۳ ۴۵۶۷", "+989121234567"),
        ("٠٩١٢-١٢٣-٤٥٦٧", "+989121234567"),
        ("０９１２１２３４５６７", "+989121234567"),
        ("0912\u2013123\u20134567", "+989121234567"),
        ("\u200e+98 912 123 4567\u200f", "+989121234567"),
        ("＋98９１２1234567", "+989121234567"),
        ("00989121234567", "+989121234567"),
        ("(021) 8888 1234", "+982188881234"),
        ("+44 20 7946 0958", "+442079460958"),
    ],
)
def test_a_telephone_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert phones.normalise(typed) == stored


def test_a_number_without_country_code_is_one_of_the_region() -> None:
    assert phones.normalise("020 7946 0958", region="GB") == "+442079460958"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "+",
        "123",
        "0912123456",
        "091212345678",
        "1-800-FLOWERS",
        "call 09121234567",
        "09121234567 ext 5",
        "09121234567,5#",
        "0912\x00123456",
        "+98+9121234567",
        "+999 123 456 789",
        "9" * 41,
        "0" * 100_000,
    ],
)
def test_what_is_no_telephone_is_none(typed: str) -> None:
    assert phones.normalise(typed) is None


def test_a_made_up_number_passes_where_its_length_is_enough() -> None:
    assert phones.normalise("+1 (555) 010-0123") is None
    assert phones.normalise("+1 (555) 010-0123", possible_is_enough=True) == "+15550100123"


@given(st.text(max_size=60))
def test_no_text_breaks_the_readers(text: str) -> None:
    phone = phones.normalise(text, possible_is_enough=True)
    assert phone is None or phones.normalise(phone, possible_is_enough=True) == phone
    number = numbers.read(text)
    assert number is None or numbers.valid(number)


eleven = st.integers(10**10, 10**11 - 1)


@given(eleven)
def test_a_made_number_is_valid_and_read_back_from_any_script(digits: int) -> None:
    number = numbers.make(digits)
    assert numbers.valid(number)
    assert number[:-1] == str(digits)
    spelled = f" {number[:4]}-{number[4:8]}\u2011{number[8:]}\u200f".translate(PERSIAN)
    assert numbers.read(spelled) == number


@given(eleven, st.integers(0, 11), st.integers(1, 9))
def test_every_wrong_digit_is_caught(digits: int, at: int, by: int) -> None:
    number = numbers.make(digits)
    wrong = number[:at] + str((int(number[at]) + by) % 10) + number[at + 1 :]
    assert not numbers.valid(wrong)


@given(eleven, st.integers(0, 10))
def test_every_swap_of_neighbours_is_caught(digits: int, at: int) -> None:
    number = numbers.make(digits)
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert swapped == number or not numbers.valid(swapped)


def test_the_check_digit_is_damms() -> None:
    # the published example: 572 has the check digit 4
    assert numbers._interim("572") == 4
    # what makes it catch both kinds of slip: each row is a permutation, the diagonal is zero, and no neighbours commute
    table = numbers._DAMM
    assert all(sorted(row) == list(range(10)) and row[i] == 0 for i, row in enumerate(table))
    assert all(
        table[table[c][x]][y] != table[table[c][y]][x]
        for c in range(10)
        for x in range(10)
        for y in range(10)
        if x != y
    )


@pytest.mark.parametrize("text", ["", "57242", "0" * 12, "572457245725", "1234567890ab", "１" * 12, "1" * 10_000])
def test_what_is_no_member_number_is_not_valid(text: str) -> None:
    assert not numbers.valid(text)


def test_random_numbers_do_not_repeat_or_rise() -> None:
    made = [numbers.make() for _ in range(200)]
    assert len(set(made)) == 200
    assert made != sorted(made)


def test_unseen_marks_and_all_digits_become_latin() -> None:
    assert digits.latin("\u202b۱٢３४\u202c x") == "1234 x"
    assert digits.only("12 34\u201356", 6) == "123456"
    assert digits.only("12345", 6) is None
    assert digits.only("12345½", 6) is None
