"""What an operator asks of a book."""

from typing import Final

from gateway.api import gifts, operator_books, operator_windows, shapes, terms
from gateway.api.table.operator_paths import OF_BOOK, OPERATOR
from gateway.operation import ANY_OPERATOR, MAKER, Operation

OPERATIONS: Final = (
    Operation(
        "POST",
        f"{OPERATOR}/books",
        MAKER,
        operator_books.post_book,
        "Open a book: a network in one mode.",
        answer=shapes.BookOut,
        request=shapes.BookIn,
        refusals=("duplicate_reference",),
    ),
    Operation(
        "GET", f"{OPERATOR}/books", ANY_OPERATOR, operator_books.list_books, "All books.", answer=shapes.BookList
    ),
    Operation("GET", OF_BOOK, ANY_OPERATOR, operator_books.get_book, "One book.", answer=shapes.BookOut),
    Operation(
        "POST",
        f"{OF_BOOK}/test-clock",
        MAKER,
        operator_books.post_clock,
        "Move a test book's clock by up to 400 days; answers when all that became due is done.",
        answer=shapes.ClockOut,
        request=shapes.ClockIn,
        refusals=("state_conflict",),
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/gift-rules",
        ANY_OPERATOR,
        gifts.get_gift_rules,
        "What members may give and be given in a day.",
        answer=shapes.GiftRulesOut,
    ),
    Operation(
        "PUT",
        f"{OF_BOOK}/gift-rules",
        MAKER,
        gifts.put_gift_rules,
        "Say what members may give and be given in a day.",
        answer=shapes.GiftRulesOut,
        request=shapes.GiftRulesIn,
        keyed="taken",
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/rule-policy",
        ANY_OPERATOR,
        terms.get_rule_policy,
        "What the network forbids its merchants' rules.",
        answer=shapes.RulePolicyOut,
    ),
    Operation(
        "PUT",
        f"{OF_BOOK}/rule-policy",
        MAKER,
        terms.put_rule_policy,
        "Say what the network forbids its merchants' rules. Those in force stay as they are.",
        answer=shapes.RulePolicyOut,
        request=shapes.RulePolicyIn,
        keyed="taken",
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/one-time-codes",
        MAKER,
        operator_books.list_codes,
        "The codes a test book would have sent to a telephone.",
        answer=shapes.SentCodesOut,
        query=shapes.PhoneIn,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/summary",
        ANY_OPERATOR,
        operator_books.get_summary,
        "What a book came to: points issued, redeemed, expired, outstanding; refunds; debts and what netting saved.",
        answer=shapes.SummaryOut,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/matrix",
        ANY_OPERATOR,
        operator_windows.get_book_matrix,
        "Who owes whom over all netted windows.",
        answer=shapes.MatrixOut,
    ),
)

RULES: Final = (
    Operation(
        "POST",
        f"{OF_BOOK}/rules",
        MAKER,
        operator_books.post_rules,
        "The network's rules: what a point is worth and how long it lives. A new face value waits for the window's end.",
        answer=shapes.RulesOut,
        request=shapes.RulesIn,
        keyed="required",
    ),
)
