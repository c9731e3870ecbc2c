"""The table of operations: how often each is drawn. A new one is a row here."""

from typing import Final

from deploy.simulate import (
    acts,
    agreeing,
    approving,
    braking,
    charging,
    giving,
    leaving,
    limiting,
    paying,
    promising,
    sharing,
    sponsoring,
    standing_in,
    till,
)
from deploy.simulate.asking import Draw

#: How often each is drawn, those that gather in a group first.
TABLE: Final[dict[str, tuple[int, Draw]]] = {
    "sale": (30, till.draw_sale),
    "redemption": (24, till.draw_redemption),
    "end": (11, till.draw_end),
    "refund": (13, till.draw_refund),
    "redemption_refund": (12, till.draw_redemption_refund),
    "topup": (2, agreeing.draw_topup),
    "purchase": (3, agreeing.draw_purchase),
    "sell_back": (1, agreeing.draw_sell_back),
    "contract": (3, agreeing.draw_contract),
    "rules": (1, agreeing.draw_rules),
    "terms": (1, agreeing.draw_terms),
    "suspension": (1, braking.draw_suspension),
    "freeze": (1, braking.draw_freeze),
    "gift": (7, giving.draw_gift),
    "gift_rules": (1, giving.draw_gift_rules),
    "voucher": (5, promising.draw_voucher),
    "voucher_end": (7, promising.draw_end),
    "buy_out": (1, leaving.draw_buy_out),
}
#: What only some histories have, each chosen for half of them: all at once would leave too little room for any.
SOME: Final[dict[str, dict[str, tuple[int, Draw]]]] = {
    "sponsors": {"sponsorship": (5, sponsoring.draw_sponsorship), "budget": (5, sponsoring.draw_budget)},
    "limits": {"limits": (4, limiting.draw_limits)},
    "brakes": {"branch": (2, braking.draw_branch), "stop": (1, braking.draw_stop)},
    "households": {
        "shared_redemption": (9, sharing.draw_spend),
        "companys_sale": (3, sharing.draw_companys_sale),
    },
}
#: And what every seventh has, whatever is chosen.
EVERY: Final = 7
SEVENTH: Final[dict[str, tuple[int, Draw]]] = {"ask": (14, approving.draw_ask), "answer": (20, approving.draw_answer)}
#: What another seventh has: windows that are paid by rails.
RAILED: Final = 6
RAILED_ALONE: Final[dict[str, tuple[int, Draw]]] = {
    "instruct": (6, paying.draw_instruct),
    "word": (10, paying.draw_word),
}
#: What another seventh has: the money around windows, when somebody does not pay, or takes back what was paid.
MONEYED: Final = 4
MONEYED_ALONE: Final[dict[str, tuple[int, Draw]]] = {
    "deposit": (4, standing_in.draw_deposit),
    "cover": (8, standing_in.draw_cover),
    "return_payment": (4, standing_in.draw_return),
    "grace": (2, standing_in.draw_grace),
    "adjustment": (8, charging.draw_adjustment),
    "charge_back": (12, charging.draw_charge_back),
    "make_good": (6, charging.draw_payment_of_a_covered),
}
#: And those of them that stand alone.
SOME_ALONE: Final[dict[str, dict[str, tuple[int, Draw]]]] = {"households": {"household": (14, sharing.draw_step)}}
#: And those that stand alone.
ALONE: Final[dict[str, tuple[int, Draw]]] = {
    "time": (10, acts.draw_time),
    "window": (20, acts.draw_window),
    "spend_lock": (1, acts.draw_lock),
}
#: Of a hundred operations in a group, how many are an earlier one again, and how many another under its key.
AGAIN, SAME_KEY = 4, 2
