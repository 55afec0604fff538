"""One AWS identity in one region, and the clients of its services. Every call that fails raises an error for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tasks.aws.errors import AwsMissing, AwsRefused, explain
from tasks.kubernetes.client.aws_identity import IDENTITY, session_of
from trialflow.errors import InvalidInput

PRICING_REGIONS = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""Where the price list is served, by the first part of a region's name; for all others us-east-1."""
CONFIG = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=10, read_timeout=60, user_agent_extra="trialflow")


@dataclass(frozen=True)
class Keys:
    """Credentials that were given: a pair of keys, with a token if they are temporary. Without any, the usual chain of AWS is asked."""

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None
    profile: str | None = None

    role: str | None = field(default=None, repr=False)
    """The parameters of `sts:AssumeRole` as JSON, for a role that is taken on with these credentials."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "Keys | None":
        """The identity that such variables choose, None if they choose none."""
        found = {part: variables[name] for part, name in IDENTITY.items() if variables.get(name)}
        return cls(**found) if found else None

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for a program that signs in with them."""
        return {name: value for part, name in IDENTITY.items() if (value := getattr(self, part))}


class Client:
    """A client of one service. It has boto3's methods; what they raise is explained."""

    def __init__(self, client: Any) -> None:
        self.raw = client
        self._service = client.meta.service_model.signing_name

    def __getattr__(self, method: str) -> Any:
        call, operation = getattr(self.raw, method), self.raw.meta.method_to_api_mapping.get(method)
        if operation is None:
            return call

        def explained(**parameters: Any) -> Any:
            try:
                return call(**parameters)
            except (ClientError, BotoCoreError) as error:
                raise explain(f"{self._service}:{operation}", error) from error

        return explained

    def every(self, method: str, key: str, **parameters: Any) -> list[Any]:
        """All items under `key` of all pages that `method` gives."""
        try:
            if not self.raw.can_paginate(method):
                return list(getattr(self, method)(**parameters)[key])
            return [one for page in self.raw.get_paginator(method).paginate(**parameters) for one in page.get(key, [])]
        except (ClientError, BotoCoreError) as error:
            raise explain(f"{self._service}:{self.raw.meta.method_to_api_mapping[method]}", error) from error


class Aws:
    """An AWS identity in a region. Raises `InvalidInput` if there is no region, errors for people where AWS does not let us in."""

    def __init__(self, keys: Keys | None = None, *, region: str | None = None) -> None:
        self.keys = keys or Keys()
        try:
            self.session = session_of(self.keys.environment(), region or self.keys.region)
        except BotoCoreError as error:
            raise InvalidInput(f"the AWS configuration cannot be used: {error}", hint="check AWS_PROFILE and ~/.aws/config") from error
        if not self.session.region_name:
            raise InvalidInput("no AWS region is set", hint="write `region:` into cluster.yml, give `--region`, or set AWS_REGION")
        self.region: str = self.session.region_name
        self._clients: dict[tuple[str, str], Client] = {}
        # Clients may be used by several threads, the session that makes them may not.
        self._lock = Lock()

    def client(self, service: str, region: str | None = None) -> Client:
        """The client of a service, made once."""
        where = region or self.region
        with self._lock:
            if (service, where) not in self._clients:
                try:
                    self._clients[service, where] = Client(self.session.client(service, region_name=where, config=CONFIG))
                except (BotoCoreError, ValueError) as error:
                    raise InvalidInput(f"{service} of AWS cannot be used in region {where!r}: {error}", hint="check the region") from error
            return self._clients[service, where]

    @property
    def ec2(self) -> Client:
        """Networks and machines."""
        return self.client("ec2")

    @property
    def eks(self) -> Client:
        """Kubernetes clusters."""
        return self.client("eks")

    @property
    def iam(self) -> Client:
        """Roles and policies."""
        return self.client("iam")

    @property
    def pricing(self) -> Client:
        """The price list."""
        return self.client("pricing", PRICING_REGIONS.get(self.region.split("-")[0], "us-east-1"))

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """`Account` and `Arn` of whoever we are. Raises `AwsRefused` if AWS does not know us."""
        return self.client("sts").get_caller_identity()

    @property
    def account(self) -> str:
        """The number of the account."""
        return self.identity["Account"]

    @property
    def partition(self) -> str:
        """`aws`, or that of China or of the US government."""
        return self.identity["Arn"].split(":")[1]

    @cached_property
    def principal(self) -> str:
        """The ARN that access entries know us by: the user, or the role behind a session, with its path."""
        arn = self.identity["Arn"]
        if ":assumed-role/" not in arn:
            return arn
        name = arn.split("/")[1]
        try:
            return self.iam.get_role(RoleName=name)["Role"]["Arn"]
        except AwsRefused as error:
            raise AwsRefused(
                f"the ARN of the role {name} behind these credentials cannot be read, and the cluster has to know it",
                hint="allow iam:GetRole for it, or use other credentials",
                code=error.code,
            ) from error


def is_found(call: Any, **parameters: Any) -> Any:
    """The answer of a call that asks about one thing, None if there is no such thing."""
    try:
        return call(**parameters)
    except AwsMissing:
        return None


def ignore_missing(call: Any, **parameters: Any) -> bool:
    """Make a call that deletes. False if there was nothing to delete."""
    return is_found(call, **parameters) is not None
