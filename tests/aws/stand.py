"""AWS on this machine, for tests and for trying: `eval "$(python -m tests.aws.stand)"`; `kill $TRIALFLOW_AWS_STAND_PID` ends it.

With TRIALFLOW_TEST_KUBECONFIG its EKS clusters are that Kubernetes cluster, whose questions about tokens it answers. Of AWS's own policies it knows
those whose names begin as one of POLICIES. What goes wrong is told by
`curl -d '{"once": "Throttling"}' $AWS_ENDPOINT_URL/stand/faults` (also `{"kill_after": 12, "pid": 345}` and `{"denied": ["ec2:CreateVpc"]}`).
"""

import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

REGION = "eu-west-1"
POLICIES = ("AmazonEKS", "AmazonEC2", "AmazonS3", "AmazonSQS", "AmazonSSM", "CloudWatch")
"""moto reads all policies of AWS, 3 MB of JSON, whenever it makes or empties an account: most of the time of most tests."""


@dataclass(frozen=True)
class User:
    """Somebody with a key."""

    name: str
    arn: str
    access_key_id: str
    secret_access_key: str


class Stand:
    """A running stand. `front` counts calls and makes them fail; `reviews` answers for tokens, where there is a Kubernetes."""

    def __init__(self, *, port: int = 0, reviews: bool = False) -> None:
        os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        import moto.iam.models as iam
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        from tests.aws import eks_calls
        from tests.aws.front import Front

        class Quiet(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"

            def log(self, type: str, message: str, *args: Any) -> None:
                """Say nothing."""

        eks_calls.extend()
        known: dict[str, Any] = json.loads(iam.aws_managed_policies_data)
        iam.aws_managed_policies_data = json.dumps({name: policy for name, policy in known.items() if name.startswith(POLICIES)})
        self.front = Front(DomainDispatcherApplication(create_backend_app))
        self.server = make_server("127.0.0.1", port, self.front, threaded=True, request_handler=Quiet)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.reviews = None
        if reviews:
            from tests.aws.sign_in import Reviews

            self.reviews = Reviews(self.url)

    def user(self, name: str) -> User:
        """Make a user with a key, as IAM does."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.iam.models import iam_backends

        backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
        if name in backend.users:
            user = backend.users[name]
            key = user.access_keys[0]
        else:
            user = backend.create_user("us-east-1", name)
            key = backend.create_access_key(name)
        return User(name, user.arn, key.access_key_id, key.secret_access_key)

    def environment(self, user: User) -> dict[str, str]:
        """The variables with which AWS's libraries find the stand, as that user."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": user.access_key_id,
            "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def reset(self) -> None:
        """Forget everything that was made, and all calls and faults."""
        from moto.backends import get_backend

        from tests.aws.front import QUOTA, Faults

        for name in ("ec2", "eks", "iam", "autoscaling", "logs", "ecr"):
            backends: Any = get_backend(name)  # type: ignore[arg-type]
            for account in list(backends.values()):
                for backend in account.values():
                    backend.reset()
        self.front.calls.clear()
        self.front.faults, self.front.quota = Faults(), QUOTA

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        if self.reviews:
            self.reviews.close()


def main() -> None:
    """Start a stand in the background and print the variables that lead to it."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        with os.fdopen(reader) as told:
            text = told.read()
        print(text, end="")
        sys.exit(0 if text else 1)
    os.setsid()
    os.close(reader)
    stand = Stand(reviews=bool(os.environ.get("TRIALFLOW_TEST_KUBECONFIG")))
    variables = {**stand.environment(stand.user("owner")), "TRIALFLOW_AWS_STAND_PID": str(os.getpid())}
    with os.fdopen(writer, "w") as told:
        for name, value in variables.items():
            told.write(f"export {name}={value}\n")
    with open(os.devnull, "r+") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    threading.Event().wait()


if __name__ == "__main__":
    main()
