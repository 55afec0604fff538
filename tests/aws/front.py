"""What stands before moto's server: it counts calls, makes single ones fail, and answers what moto does not know: prices and quotas."""

import base64
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session

PRICES = {"t3.large": 0.0912, "m5.large": 0.107, "g5.xlarge": 1.123, "c5.xlarge": 0.192}
QUOTA = 64.0
QUERY = ("ec2", "iam", "sts", "autoscaling", "elasticloadbalancing")
READS = ("Describe", "List", "Get", "Simulate")


@dataclass
class Faults:
    """What goes wrong. `once` makes the first call of each operation fail with that code; `kill_after` kills `pid` when that many calls were made."""

    once: str | None = None
    denied: frozenset[str] = frozenset()
    kill_after: int | None = None
    pid: int = 0
    hit: set[str] = field(default_factory=set)


class Front:
    """A WSGI application around moto's."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self.inner = inner
        self.calls: list[str] = []
        self.faults = Faults()
        self.quota = QUOTA
        self._eks = _rest_operations("eks")

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/stand/"):
            return self._control(path, environ, start)
        service, operation = self._named(environ)
        if not operation:
            return self.inner(environ, start)
        name = f"{service}:{operation}"
        self.calls.append(name)
        code = self._fault(name)
        if code:
            return _failed(service, code, start)
        answer = _own_answer(name, environ, self.faults.denied, self.quota)
        body = _json(answer, start) if answer is not None else list(self.inner(environ, start))
        if self.faults.kill_after is not None and len(self.calls) >= self.faults.kill_after and self.faults.pid:
            os.kill(self.faults.pid, signal.SIGKILL)
            self.faults.kill_after = None
        return body

    def changes(self) -> Counter[str]:
        """How often each operation was called that changes something."""
        return Counter(one for one in self.calls if not one.partition(":")[2].startswith(READS))

    def _fault(self, name: str) -> str | None:
        if name in self.faults.denied:
            return "UnauthorizedOperation" if name.startswith("ec2:") else "AccessDenied"
        if self.faults.once and name not in self.faults.hit:
            self.faults.hit.add(name)
            return self.faults.once
        return None

    def _named(self, environ: dict[str, Any]) -> tuple[str, str]:
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        service = scope[1] if scope else ""
        if target := environ.get("HTTP_X_AMZ_TARGET"):
            return service, target.rpartition(".")[2]
        if service in QUERY:
            return service, parse_qs(_body(environ).decode()).get("Action", [""])[0]
        if service == "eks":
            method, path = environ["REQUEST_METHOD"], unquote(environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0]
            return service, next((name for verb, pattern, name in self._eks if verb == method and pattern.fullmatch(path)), "")
        return service, ""

    def _control(self, path: str, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if path == "/stand/faults":
            wanted = json.loads(_body(environ) or b"{}")
            self.faults = Faults(**{**wanted, "denied": frozenset(wanted.get("denied", []))})
            self.calls.clear()
        return _json({"calls": self.calls}, start)


def _rest_operations(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    model = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        # A principal's ARN holds slashes; longer templates come first.
        pattern = re.sub(r"\\\{(\w+)\\\}", lambda part: ".+" if part[1].endswith("Arn") else "[^/]+", re.escape(http["requestUri"]))
        found.append((http["method"], re.compile(pattern), name))
    return sorted(found, key=lambda one: -one[1].pattern.count("/"))


def _body(environ: dict[str, Any]) -> bytes:
    if "stand.body" not in environ:
        import io

        environ["stand.body"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(environ["stand.body"])
    return environ["stand.body"]


def _own_answer(name: str, environ: dict[str, Any], denied: frozenset[str], quota: float) -> dict[str, Any] | str | None:
    if name == "iam:SimulatePrincipalPolicy":
        return _simulated(parse_qs(_body(environ).decode()), denied)
    if name == "servicequotas:GetServiceQuota":
        return {"Quota": {"QuotaCode": json.loads(_body(environ))["QuotaCode"], "Value": quota}}
    if name == "ecr:GetAuthorizationToken":
        token = base64.b64encode(b"AWS:a-token-of-the-stand").decode()
        registry = os.environ.get("TRIALFLOW_TEST_REGISTRY")
        address = f"http://{registry}" if registry else "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        return {"authorizationData": [{"authorizationToken": token, "proxyEndpoint": address, "expiresAt": time.time() + 12 * 3600}]}
    if name == "pricing:GetProducts":
        wanted = {one["Field"]: one["Value"] for one in json.loads(_body(environ))["Filters"]}
        price = PRICES.get(wanted["instanceType"])
        terms = {"OnDemand": {"x": {"priceDimensions": {"y": {"pricePerUnit": {"USD": str(price)}}}}}}
        return {"PriceList": [json.dumps({"terms": terms})] if price else []}
    return None


def _simulated(asked: dict[str, list[str]], denied: frozenset[str]) -> str:
    actions = [values[0] for name, values in asked.items() if name.startswith("ActionNames.member.")]
    members = "".join(
        f"<member><EvalActionName>{one}</EvalActionName><EvalDecision>{'implicitDeny' if one in denied else 'allowed'}</EvalDecision></member>"
        for one in actions
    )
    results = f"<IsTruncated>false</IsTruncated><EvaluationResults>{members}</EvaluationResults>"
    result = f"<SimulatePrincipalPolicyResult>{results}</SimulatePrincipalPolicyResult>"
    return f'<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{result}</SimulatePrincipalPolicyResponse>'


def _json(answer: Any, start: Callable[..., Any]) -> list[bytes]:
    if isinstance(answer, str):
        start("200 OK", [("Content-Type", "text/xml")])
        return [answer.encode()]
    start("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps(answer).encode()]


def _failed(service: str, code: str, start: Callable[..., Any]) -> list[bytes]:
    status = (
        "500 Internal Server Error" if code.startswith("Internal") else "403 Forbidden" if "Denied" in code or "Unauth" in code else "400 Bad Request"
    )
    said = "the stand was told to fail this call"
    if service == "ec2":
        start(status, [("Content-Type", "text/xml")])
        return [f"<Response><Errors><Error><Code>{code}</Code><Message>{said}</Message></Error></Errors></Response>".encode()]
    if service in QUERY:
        start(status, [("Content-Type", "text/xml")])
        return [f"<ErrorResponse><Error><Code>{code}</Code><Message>{said}</Message></Error></ErrorResponse>".encode()]
    start(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)])
    return [json.dumps({"__type": code, "message": said}).encode()]
