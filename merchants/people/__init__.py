"""Members: who they are, the numbers and telephones they are found by, and what they sign in and spend with."""

from merchants.people import numbers, one_time_codes, phones, spend_codes
from merchants.people.members import Device, DeviceRow, Enrolled, Member
from merchants.people.one_time_codes import OneTimeCode
from merchants.people.store import (
    count_wrong_codes,
    devices_of,
    enrol,
    enrol_device,
    find,
    list_devices,
    members_by,
    revoke_device,
    set_spend_lock,
    set_state,
    use_steps,
    wrong_codes,
)

__all__ = [
    "Device",
    "DeviceRow",
    "Enrolled",
    "Member",
    "OneTimeCode",
    "count_wrong_codes",
    "devices_of",
    "enrol",
    "enrol_device",
    "find",
    "list_devices",
    "members_by",
    "numbers",
    "one_time_codes",
    "phones",
    "revoke_device",
    "set_spend_lock",
    "set_state",
    "spend_codes",
    "use_steps",
    "wrong_codes",
]
