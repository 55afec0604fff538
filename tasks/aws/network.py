"""The network of a cluster: a VPC with subnets in up to three zones, a way to the internet, and for private nodes a NAT gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.aws.design import Design
from tasks.aws.errors import AwsRefused
from tasks.aws.names import resource_name, tag_filter, tag_specification
from tasks.aws.session import Aws, ignore_missing
from tasks.aws.waiting import Waiter

CIDR = "10.42.0.0/16"
SUBNETS = tuple(f"10.42.{block * 32}.0/19" for block in range(8))
"""The first three are public, the next three private. They are large because the CNI takes an address for every pod."""
IN_USE = ("DependencyViolation", "InvalidNetworkInterface.InUse")
FREE_MINUTES = 15
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Network:
    """Subnets by id -> zone: `cluster` for the control plane, `nodes` for machines."""

    cluster: Mapping[str, str]
    nodes: Mapping[str, str]


def expected_network(design: Design) -> list[tuple[str, str]]:
    """What `ensure_network` makes, as (kind, name)."""
    if design.subnets:
        return []
    name = design.name
    made = [("VPC", resource_name(name, "vpc")), ("internet gateway", resource_name(name, "gateway"))]
    made += [("subnet", resource_name(name, f"public-{zone}")) for zone in design.zones]
    made += [("route table", resource_name(name, "public")), ("S3 endpoint", resource_name(name, "s3"))]
    if design.has_private_nodes:
        made += [("subnet", resource_name(name, f"private-{zone}")) for zone in design.zones]
        made += [
            ("address", resource_name(name, "nat")),
            ("NAT gateway", resource_name(name, "nat")),
            ("route table", resource_name(name, "private")),
        ]
    return made


def ensure_network(aws: Aws, design: Design, wait: Waiter) -> None:
    """Have the network there, each part looked for by its tag first."""
    if design.subnets:
        return
    ec2, name = aws.ec2, design.name
    vpc = _find(ec2.every("describe_vpcs", "Vpcs", Filters=tag_filter(name)), "vpc", name)
    if vpc is None:
        tags = tag_specification("vpc", name, resource_name(name, "vpc"))
        vpc = ec2.create_vpc(CidrBlock=CIDR, TagSpecifications=tags)["Vpc"]
    vpc_id = vpc["VpcId"]
    wait.until("VPC", lambda: _is(aws, "describe_vpcs", "Vpcs", "VpcIds", vpc_id, "available"), minutes=2, every=2)
    # Nodes cannot register without both.
    for attribute, field in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        if not ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)[field]["Value"]:
            ec2.modify_vpc_attribute(VpcId=vpc_id, **{field: {"Value": True}})
    gateway = _gateway(aws, name, vpc_id)
    public = {zone: _subnet(aws, name, vpc_id, zone, SUBNETS[index], is_public=True) for index, zone in enumerate(design.zones)}
    tables = [_routes(aws, name, vpc_id, "public", list(public.values()), {"GatewayId": gateway})]
    if design.has_private_nodes:
        private = {zone: _subnet(aws, name, vpc_id, zone, SUBNETS[3 + index], is_public=False) for index, zone in enumerate(design.zones)}
        nat = _nat(aws, name, public[design.zones[0]], wait)
        tables.append(_routes(aws, name, vpc_id, "private", list(private.values()), {"NatGatewayId": nat}))
    _endpoint(aws, name, vpc_id, tables)


def read_network(aws: Aws, design: Design) -> Network:
    """The subnets of the cluster: the existing ones of the design, or those that `ensure_network` made."""
    if design.subnets:
        return Network(design.subnets, design.subnets)
    found = aws.ec2.every("describe_subnets", "Subnets", Filters=tag_filter(design.name))
    everything = {one["SubnetId"]: one["AvailabilityZone"] for one in found}
    kind = "private" if design.has_private_nodes else "public"
    prefix = resource_name(design.name, f"{kind}-")
    return Network(everything, {one["SubnetId"]: one["AvailabilityZone"] for one in found if name_of(one).startswith(prefix)})


def name_of(resource: Mapping[str, Any]) -> str:
    """What the console calls a resource of EC2."""
    return next((tag["Value"] for tag in resource.get("Tags", []) if tag["Key"] == "Name"), "")


def _find(found: list[Any], what: str, cluster: str) -> Any | None:
    return next((one for one in found if name_of(one) == resource_name(cluster, what)), None)


def _is(aws: Aws, method: str, key: str, parameter: str, identifier: str, wanted: str) -> tuple[Any | None, str]:
    found = getattr(aws.ec2, method)(**{parameter: [identifier]})[key]
    state = found[0].get("State", "pending") if found else "pending"
    return (found[0] if state == wanted else None), state


def _gateway(aws: Aws, name: str, vpc_id: str) -> str:
    ec2 = aws.ec2
    gateway = _find(ec2.every("describe_internet_gateways", "InternetGateways", Filters=tag_filter(name)), "gateway", name)
    if gateway is None:
        tags = tag_specification("internet-gateway", name, resource_name(name, "gateway"))
        gateway = ec2.create_internet_gateway(TagSpecifications=tags)["InternetGateway"]
    if not gateway.get("Attachments"):
        ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc_id)
    return gateway["InternetGatewayId"]


def _subnet(aws: Aws, name: str, vpc_id: str, zone: str, cidr: str, *, is_public: bool) -> str:
    ec2, kind = aws.ec2, "public" if is_public else "private"
    subnet = _find(ec2.every("describe_subnets", "Subnets", Filters=tag_filter(name)), f"{kind}-{zone}", name)
    if subnet is None:
        tags = tag_specification("subnet", name, resource_name(name, f"{kind}-{zone}"))
        tags[0]["Tags"].append({"Key": "kubernetes.io/role/elb" if is_public else "kubernetes.io/role/internal-elb", "Value": "1"})
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=tags)["Subnet"]
    if is_public and not subnet.get("MapPublicIpOnLaunch"):
        ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    return subnet["SubnetId"]


def _routes(aws: Aws, name: str, vpc_id: str, kind: str, subnets: list[str], way: dict[str, str]) -> str:
    ec2 = aws.ec2
    table = _find(ec2.every("describe_route_tables", "RouteTables", Filters=tag_filter(name)), kind, name)
    if table is None:
        tags = tag_specification("route-table", name, resource_name(name, kind))
        table = ec2.create_route_table(VpcId=vpc_id, TagSpecifications=tags)["RouteTable"]
    table_id = table["RouteTableId"]
    if not any(one.get("DestinationCidrBlock") == EVERYWHERE for one in table.get("Routes", [])):
        ec2.create_route(RouteTableId=table_id, DestinationCidrBlock=EVERYWHERE, **way)
    associated = {one.get("SubnetId") for one in table.get("Associations", [])}
    for subnet in subnets:
        if subnet not in associated:
            ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet)
    return table_id


def _nat(aws: Aws, name: str, subnet: str, wait: Waiter) -> str:
    ec2 = aws.ec2
    address = _find(ec2.describe_addresses(Filters=tag_filter(name))["Addresses"], "nat", name)
    if address is None:
        tags = tag_specification("elastic-ip", name, resource_name(name, "nat"))
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags)
    found = ec2.every("describe_nat_gateways", "NatGateways", Filters=tag_filter(name))
    gateway = _find([one for one in found if one["State"] not in ("deleted", "deleting", "failed")], "nat", name)
    if gateway is None:
        tags = tag_specification("natgateway", name, resource_name(name, "nat"))
        gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address["AllocationId"], TagSpecifications=tags)["NatGateway"]
    nat = gateway["NatGatewayId"]
    wait.until("NAT gateway", lambda: _is(aws, "describe_nat_gateways", "NatGateways", "NatGatewayIds", nat, "available"), minutes=10)
    return nat


def _endpoint(aws: Aws, name: str, vpc_id: str, tables: list[str]) -> None:
    """The way to S3, where the layers of images are: free, and past the NAT gateway, which costs by the gigabyte."""
    ec2 = aws.ec2
    found = ec2.every("describe_vpc_endpoints", "VpcEndpoints", Filters=tag_filter(name))
    endpoint = _find([one for one in found if one.get("State", "available").lower() not in ("deleted", "deleting")], "s3", name)
    if endpoint is None:
        tags = tag_specification("vpc-endpoint", name, resource_name(name, "s3"))
        ec2.create_vpc_endpoint(
            VpcId=vpc_id,
            ServiceName=f"com.amazonaws.{aws.region}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=tables,
            TagSpecifications=tags,
        )


def delete_network(aws: Aws, name: str, wait: Waiter) -> None:
    """Delete what carries the cluster's tag, from the leaves to the VPC, and what Kubernetes left in that VPC."""
    ec2, ours = aws.ec2, tag_filter(name)
    vpcs = [one["VpcId"] for one in ec2.every("describe_vpcs", "Vpcs", Filters=ours)]
    for one in ec2.every("describe_nat_gateways", "NatGateways", Filters=ours):
        if one["State"] not in ("deleted", "deleting"):
            ignore_missing(ec2.delete_nat_gateway, NatGatewayId=one["NatGatewayId"])
        wait.until("NAT gateway", lambda nat=one["NatGatewayId"]: _is_deleted(aws, nat), minutes=15)
    for one in ec2.describe_addresses(Filters=ours)["Addresses"]:
        ignore_missing(ec2.release_address, AllocationId=one["AllocationId"])
    endpoints = [one for one in ec2.every("describe_vpc_endpoints", "VpcEndpoints", Filters=ours) if one.get("State", "").lower() != "deleted"]
    if endpoints:
        ec2.delete_vpc_endpoints(VpcEndpointIds=[one["VpcEndpointId"] for one in endpoints])
    wait.until("what Kubernetes left", lambda: _when_free(lambda: [_delete_leftovers(aws, vpc) for vpc in vpcs]), minutes=FREE_MINUTES)
    for one in ec2.every("describe_route_tables", "RouteTables", Filters=ours):
        for link in one.get("Associations", []):
            if not link.get("Main"):
                ignore_missing(ec2.disassociate_route_table, AssociationId=link["RouteTableAssociationId"])
        ignore_missing(ec2.delete_route_table, RouteTableId=one["RouteTableId"])
    for one in ec2.every("describe_subnets", "Subnets", Filters=ours):
        subnet = one["SubnetId"]
        wait.until(
            f"subnet {subnet}",
            lambda subnet=subnet: _when_free(
                lambda: [[_delete_leftovers(aws, vpc) for vpc in vpcs], ignore_missing(ec2.delete_subnet, SubnetId=subnet)]
            ),
            minutes=FREE_MINUTES,
        )
    for one in ec2.every("describe_internet_gateways", "InternetGateways", Filters=ours):
        for attachment in one.get("Attachments", []):
            ignore_missing(ec2.detach_internet_gateway, InternetGatewayId=one["InternetGatewayId"], VpcId=attachment["VpcId"])
        ignore_missing(ec2.delete_internet_gateway, InternetGatewayId=one["InternetGatewayId"])
    for vpc in vpcs:
        ignore_missing(ec2.delete_vpc, VpcId=vpc)


def _when_free(delete: Callable[[], object]) -> tuple[bool | None, str]:
    """Try to delete. While something still uses it, such as an interface of a machine that is going, AWS refuses."""
    try:
        delete()
    except AwsRefused as error:
        if error.code not in IN_USE:
            raise
        return None, "still in use"
    return True, "gone"


def _is_deleted(aws: Aws, nat: str) -> tuple[bool | None, str]:
    found = aws.ec2.every("describe_nat_gateways", "NatGateways", Filters=[{"Name": "nat-gateway-id", "Values": [nat]}])
    state = found[0]["State"] if found else "deleted"
    return (True if state == "deleted" else None), state


def _delete_leftovers(aws: Aws, vpc: str) -> None:
    """Interfaces of the CNI that no machine has any more, and security groups: both keep a VPC from being deleted. The VPC is ours alone."""
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    for one in aws.ec2.every("describe_network_interfaces", "NetworkInterfaces", Filters=[*inside, {"Name": "status", "Values": ["available"]}]):
        ignore_missing(aws.ec2.delete_network_interface, NetworkInterfaceId=one["NetworkInterfaceId"])
    groups = [one for one in aws.ec2.every("describe_security_groups", "SecurityGroups", Filters=inside) if one["GroupName"] != "default"]
    for one in groups:
        # Groups that let each other in cannot be deleted before those rules are gone.
        if one.get("IpPermissions"):
            aws.ec2.revoke_security_group_ingress(GroupId=one["GroupId"], IpPermissions=one["IpPermissions"])
    for one in groups:
        ignore_missing(aws.ec2.delete_security_group, GroupId=one["GroupId"])
