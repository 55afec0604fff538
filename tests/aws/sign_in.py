"""The stand's part of signing in: the API server asks who a token is, and it is checked as AWS does, against the access entries."""

import base64
import hmac
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

PORT = 16480
PATIENCE = 300
PREFIX = "k8s-aws-v1."
TOKEN_SECONDS = 15 * 60
ALLOWED = {"Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}
ALLOWED |= {"X-Amz-Security-Token"}
GROUPS = {"AmazonEKSClusterAdminPolicy": ["system:masters"]}


class Refused(Exception):
    """The token is not one that AWS would take."""


def who(token: str, *, endpoint: str, now: datetime, seconds: float = TOKEN_SECONDS) -> tuple[str, list[str]]:
    """The principal behind a token and its groups. Raises `Refused`."""
    if not token.startswith(PREFIX):
        raise Refused("no token of EKS")
    text = token.removeprefix(PREFIX)
    try:
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError as error:
        raise Refused("no base64") from error
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    if not url.startswith(f"{endpoint}/?") or set(asked) - ALLOWED or asked.get("Action") != "GetCallerIdentity":
        raise Refused("not a question to STS")
    if "x-k8s-aws-id" not in asked["X-Amz-SignedHeaders"].split(";"):
        raise Refused("the cluster's name is not signed")
    signed_at = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if not 0 <= int(asked["X-Amz-Expires"]) <= 900 or not -60 <= (now - signed_at).total_seconds() <= seconds:
        raise Refused("expired")
    key, _, region = asked["X-Amz-Credential"].split("/")[:3]
    user, secret = _key(key, asked.get("X-Amz-Security-Token"))
    for name, backend in eks_backends[DEFAULT_ACCOUNT_ID].items():
        if name != region:
            continue
        for cluster in backend.clusters.values():
            if _signature(url, secret, key, region, cluster.name, asked["X-Amz-Date"]) == asked["X-Amz-Signature"]:
                return _entry(cluster, user)
    raise Refused("the signature is wrong, or there is no such cluster")


def _entry(cluster: Any, arn: str) -> tuple[str, list[str]]:
    entry = cluster.access.get(arn)
    if entry is None:
        raise Refused("no access entry")
    return arn, [group for one in entry["policies"] for group in GROUPS.get(one["policyArn"].rpartition("/")[2], [])]


def _key(key: str, token: str | None) -> tuple[str, str]:
    for one in sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles:
        if one.access_key_id == key and one.session_token == token:
            return one.role_arn, one.secret_access_key
    for user in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users.values():
        for one in user.access_keys:
            if hmac.compare_digest(one.access_key_id, key):
                return user.arn, one.secret_access_key
    raise Refused("unknown key")


def _signature(url: str, secret: str, key: str, region: str, cluster: str, date: str) -> str:
    parts = urlsplit(url)
    token = parse_qs(parts.query).get("X-Amz-Security-Token", [None])[0]
    plain = f"{parts.scheme}://{parts.netloc}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", plain, headers={"x-k8s-aws-id": cluster})
    auth = SigV4QueryAuth(Credentials(key, secret, token), "sts", region, expires=int(parse_qs(parts.query)["X-Amz-Expires"][0]))
    request.context["timestamp"] = date
    _at(auth, request, date)
    return parse_qs(urlsplit(request.url).query)["X-Amz-Signature"][0]


def _at(auth: SigV4QueryAuth, request: AWSRequest, date: str) -> None:
    """Sign as of `date`: botocore's `add_auth`, but for its clock."""
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    auth._inject_signature_to_request(request, auth.signature(auth.string_to_sign(request, canonical), request))


def _bound(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """The server, as soon as no other test of this machine answers at its port."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ThreadingHTTPServer(("127.0.0.1", PORT), handler)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


class Reviews:
    """The server that answers TokenReviews. `seconds` is how long a token lives, which a test may shorten."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.seconds: float = TOKEN_SECONDS
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked += 1
                try:
                    arn, groups = who(review["spec"]["token"], endpoint=outer.endpoint, now=datetime.now(UTC), seconds=outer.seconds)
                    status: dict[str, Any] = {"authenticated": True, "user": {"username": arn, "groups": groups}}
                except Refused as refused:
                    status = {"authenticated": False, "error": str(refused)}
                body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = _bound(Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
