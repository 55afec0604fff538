"""What things cost, in US dollars an hour: from AWS's price list, else from a table with a date."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.aws.errors import AwsError
from tasks.aws.session import Aws

TABLE_OF = "2026-11"
TABLE: Mapping[str, float] = {
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "m5.large": 0.096,
    "m5.xlarge": 0.192,
    "m5.2xlarge": 0.384,
    "c5.xlarge": 0.17,
    "c5.2xlarge": 0.34,
    "g4dn.xlarge": 0.526,
    "g5.xlarge": 1.006,
    "g6.xlarge": 0.805,
}
"""List prices of Linux machines on demand in us-east-1: for when the price list may not be asked."""
CONTROL_PLANE = 0.10
EXTENDED_CONTROL_PLANE = 0.60
ADDRESS = 0.005
NAT_GATEWAY = 0.045
GIB_MONTH = 0.08
HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Prices:
    """Dollars an hour for each instance type, on demand. `approximate` are those from the table, and so for us-east-1."""

    hourly: Mapping[str, float]
    approximate: frozenset[str] = frozenset()

    def node(self, instance_type: str, volume: int, *, has_address: bool) -> float | None:
        """One node with its disk and its public address; None if the type's price is not known."""
        price = self.hourly.get(instance_type)
        return None if price is None else price + volume * GIB_MONTH / HOURS_A_MONTH + (ADDRESS if has_address else 0.0)


def read_prices(aws: Aws, instance_types: Iterable[str]) -> Prices:
    """The prices of these types in the region. Never an error: what cannot be asked comes from the table, or stays unknown."""
    hourly, approximate = {}, set()
    may_ask = True
    for one in sorted(set(instance_types)):
        price = None
        if may_ask:
            try:
                price = price_in(_ask(aws, one))
            except AwsError:
                may_ask = False
        if price is None and one in TABLE:
            price = TABLE[one]
            approximate.add(one)
        if price is not None:
            hourly[one] = price
    return Prices(hourly, frozenset(approximate))


def price_in(documents: Iterable[str]) -> float | None:
    """The one price above 0 that these documents of the price list give; None if there is none, or more than one."""
    found = set()
    for document in documents:
        for term in json.loads(document).get("terms", {}).get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                price = float(dimension["pricePerUnit"].get("USD", 0))
                if price > 0:
                    found.add(price)
    return found.pop() if len(found) == 1 else None


def _ask(aws: Aws, instance_type: str) -> list[str]:
    wanted: dict[str, Any] = {
        "instanceType": instance_type,
        "regionCode": aws.region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    return aws.pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
