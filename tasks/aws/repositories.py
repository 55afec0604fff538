"""Repositories of ECR for the images of models: below one path for each cluster, made when an image is pushed, deleted with the cluster."""

import base64
import json
import re
from typing import TYPE_CHECKING

from tasks.aws.errors import AwsRefused
from tasks.aws.names import TAG, short_hash, tag_list
from tasks.aws.session import Aws, Keys, ignore_missing, is_found
from tasks.images.login import Login
from tasks.images.references import parse
from tasks.kubernetes.client.eks_token import sign_in_of
from tasks.kubernetes.client.kubeconfig import user_of

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster

ECR_HOST = re.compile(r"\d{12}\.dkr[.-]ecr[.-].+")
MOST_IMAGES = 100
UNTAGGED_DAYS = 14


def registry_path(cluster: str) -> str:
    """The path of the cluster's repositories. ECR takes small letters and single dashes; a name that had others ends with a hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", cluster.lower()).strip("-")
    return f"trialflow/{plain if plain == cluster else f'{plain}-{short_hash(cluster)}'}"


def own_registry(aws: Aws, cluster: str) -> str | None:
    """Where images for the cluster go if nobody says otherwise, host/path; None if we may not use ECR."""
    try:
        host = _authorization(aws)["proxyEndpoint"].partition("://")[2]
    except AwsRefused:
        return None
    return f"{host}/{registry_path(cluster)}"


def ecr_login(aws: Aws) -> Login:
    """A login for the registry of the account. It lasts 12 hours."""
    username, _, password = base64.b64decode(_authorization(aws)["authorizationToken"]).decode().partition(":")
    return Login(username, password)


def _authorization(aws: Aws) -> dict[str, str]:
    return aws.client("ecr").get_authorization_token()["authorizationData"][0]


def ensure_repository(aws: Aws, cluster: str, name: str) -> None:
    """Have the repository of that name there; below the cluster's own path with its tag, and with a rule that lets old images go."""
    ecr, is_ours = aws.client("ecr"), name.startswith(f"{registry_path(cluster)}/")
    if is_found(ecr.describe_repositories, repositoryNames=[name]) is None:
        try:
            ecr.create_repository(repositoryName=name, **({"tags": tag_list(cluster)} if is_ours else {}))
        except AwsRefused as error:
            if error.code != "RepositoryAlreadyExistsException":  # another was quicker
                raise
    if is_ours and is_found(ecr.get_lifecycle_policy, repositoryName=name) is None:
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(lifecycle_policy()))


def lifecycle_policy() -> dict[str, list[dict[str, object]]]:
    """Images that have lost their tag go after two weeks, and the oldest once there are a hundred."""
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": UNTAGGED_DAYS}
    oldest = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": MOST_IMAGES}
    selections = (("images without a tag", untagged), ("all but the newest images", oldest))
    expire = {"type": "expire"}
    return {
        "rules": [
            {"rulePriority": number, "description": text, "selection": selection, "action": expire}
            for number, (text, selection) in enumerate(selections, 1)
        ]
    }


def list_repositories(aws: Aws, cluster: str) -> list[str]:
    """The names of the repositories that carry the cluster's tag."""
    below = [one for one in aws.client("ecr").every("describe_repositories", "repositories") if _is_below(one["repositoryName"], cluster)]
    return [one["repositoryName"] for one in below if _is_tagged(aws, one["repositoryArn"], cluster)]


def delete_repositories(aws: Aws, cluster: str) -> None:
    """Delete them with the images in them."""
    for name in list_repositories(aws, cluster):
        ignore_missing(aws.client("ecr").delete_repository, repositoryName=name, force=True)


def _is_below(name: str, cluster: str) -> bool:
    return name.startswith(f"{registry_path(cluster)}/")


def _is_tagged(aws: Aws, arn: str, cluster: str) -> bool:
    found = is_found(aws.client("ecr").list_tags_for_resource, resourceArn=arn)
    return any(tag["Key"] == TAG and tag["Value"] == cluster for tag in (found or {}).get("tags", []))


def is_on_ecr(cluster: "Cluster") -> bool:
    """Whether images of this cluster go to ECR, so that AWS says who we are there."""
    if cluster.provider != "aws" or not cluster.registry:
        return False
    host, _, path = cluster.registry.partition("/")
    return ECR_HOST.fullmatch(host) is not None or path == registry_path(cluster.name)


def sign_in_to_push(cluster: "Cluster", repository: str | None = None) -> Login | None:
    """The login for the cluster's registry on ECR, with the identity that the cluster is used with; None for any other registry.

    A `repository` (host/path) in that registry is made if it is not there.
    """
    sign_in = sign_in_of(user_of(cluster.kubeconfig)) if cluster.kubeconfig and is_on_ecr(cluster) else None
    if sign_in is None:
        return None
    aws = Aws(Keys.from_environment(sign_in.environment), region=sign_in.region)
    named = parse(repository) if repository else None
    if named and f"{cluster.registry}/".startswith(f"{named.registry}/"):
        ensure_repository(aws, cluster.name, named.repository)
    return ecr_login(aws)
