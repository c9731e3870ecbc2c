"""Members: who they are, the numbers and telephones they are found by, and what they sign in and spend with."""

from merchants.people import digits, households, numbers, occasions, one_time_codes, phones, spend_codes
from merchants.people.household_store import Invitation, household_of, invitations, put_households
from merchants.people.household_store import households as lock_households
from merchants.people.households import Household, Person
from merchants.people.members import Device, DeviceRow, Enrolled, Member
from merchants.people.occasion_store import (
    counting_from,
    forget_occasions,
    occasions_of,
    occasions_that_count,
    put_occasions,
)
from merchants.people.occasions import Anniversary, Occasion
from merchants.people.one_time_codes import OneTimeCode
from merchants.people.store import (
    change_phone,
    confirm_consents,
    consents_of,
    count_wrong_codes,
    devices_of,
    enrol,
    enrol_device,
    find,
    list_devices,
    members_by,
    put_consents,
    revoke_device,
    set_spend_lock,
    set_state,
    use_steps,
    wrong_codes,
)

__all__ = [
    "Anniversary",
    "Device",
    "DeviceRow",
    "Enrolled",
    "Household",
    "Invitation",
    "Member",
    "Occasion",
    "OneTimeCode",
    "Person",
    "change_phone",
    "confirm_consents",
    "consents_of",
    "count_wrong_codes",
    "counting_from",
    "devices_of",
    "digits",
    "enrol",
    "enrol_device",
    "find",
    "forget_occasions",
    "household_of",
    "households",
    "invitations",
    "list_devices",
    "lock_households",
    "members_by",
    "numbers",
    "occasions",
    "occasions_of",
    "occasions_that_count",
    "one_time_codes",
    "phones",
    "put_consents",
    "put_households",
    "put_occasions",
    "revoke_device",
    "set_spend_lock",
    "set_state",
    "spend_codes",
    "use_steps",
    "wrong_codes",
]
