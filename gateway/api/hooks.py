"""What providers tell us. The answer is given when what they told is durable, so that they tell it again until then."""

import settlement
from gateway.api.shapes import ReceivedOut
from gateway.calls import Call
from gateway.problems import Problem, not_found
from settlement.rails import by_stripe


async def post_stripe(call: Call[None]) -> ReceivedOut:
    """The raw bytes are what is signed. Of what was sent nothing is logged, and nothing repeated in the answer."""
    server = call.server
    if not server.providers.stripe_secrets:
        raise not_found("provider")
    header = call.sent.get(b"stripe-signature", b"").decode("latin-1")
    try:
        mode, event = by_stripe.proved(call.raw, header, server.providers.stripe_secrets)
    except by_stripe.Forged:
        raise Problem("malformed_request", "this is not signed by Stripe for us, now") from None
    told = by_stripe.told(event)
    if told is not None:
        await call.thread(settlement.paying.take_stripe_event, server.db, server.committer, mode, told)
    return ReceivedOut(received=True)
