"""Every table of the house, package by package: what the migrations must add up to."""

import gateway.schema
import ledger.schema
import merchants.benefits.schema
import merchants.contracts.schema
import merchants.insight.schema
import merchants.offers.schema
import merchants.people.schema
import merchants.safety.schema
import merchants.sales.schema
import merchants.standing.schema
import settlement.reconciliation.schema
import settlement.schema

METADATA = [
    ledger.schema.metadata,
    merchants.people.schema.metadata,
    merchants.contracts.schema.metadata,
    merchants.safety.schema.metadata,
    merchants.sales.schema.metadata,
    merchants.insight.schema.metadata,
    merchants.offers.schema.metadata,
    merchants.standing.schema.metadata,
    merchants.benefits.schema.metadata,
    settlement.schema.metadata,
    settlement.reconciliation.schema.metadata,
    gateway.schema.metadata,
]
SCHEMAS = ("ledger", "merchants", "settlement", "gateway")
