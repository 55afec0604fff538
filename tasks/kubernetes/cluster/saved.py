"""The clusters that trialflow knows: a file each in TRIALFLOW_HOME for commands, a Prefect block each for flows."""

import difflib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.kubernetes.client.cluster import Cluster, check_name
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.home import INSIDE, Home

if TYPE_CHECKING:
    from blocks.cluster import TrialflowCluster

CONNECT = "`trialflow cluster connect --cluster-name NAME --provider custom --kubeconfig PATH`"


class Clusters:
    """The files `clusters/NAME.json` of a home (mode 0600: they hold secrets), and `clusters/current`, which names the current cluster.

    `clusters/NAME.server` is there if the cluster has a server.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.root / "clusters"

    def names(self) -> list[str]:
        """The names of all clusters, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def current(self) -> str | None:
        """The name of the current cluster, None if there is none."""
        try:
            name = (self.folder / "current").read_text().strip()
        except FileNotFoundError:
            return None
        return name if name in self.names() else None

    def require(self, name: str | None) -> str:
        """The name of a cluster that is known: `name`, or the current one if None. Raises `InvalidInput` if there is none."""
        names = self.names()
        if name is None:
            name = self.current() or (names[0] if len(names) == 1 else None)
            if name is None:
                raise InvalidInput(
                    "no cluster is connected" if not names else f"several clusters are connected and none is current: {', '.join(names)}",
                    hint=CONNECT if not names else "name one with `--cluster-name`",
                )
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            more = f"did you mean {close[0]!r}? " if close else ""
            raise InvalidInput(f"no cluster {name!r} is connected", hint=f"{more}connected: {', '.join(names)}" if names else CONNECT)
        return name

    def load(self, name: str | None = None) -> Cluster:
        """The cluster of that name, the current one if None. Raises `InvalidInput` if there is none, `TrialflowError` for a mangled file."""
        name = self.require(name)
        path = self.folder / f"{name}.json"
        try:
            return Cluster.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, InvalidInput) as error:
            told = error.strerror if isinstance(error, OSError) else "it is no JSON" if isinstance(error, ValueError) else str(error)
            raise TrialflowError(
                f"the file {path}, the cluster {name}, cannot be used: {told}",
                hint=f"connect it again ({CONNECT}), or delete the file",
            ) from None

    def check_name(self, name: str) -> None:
        """Raise `InvalidInput` if another cluster's name differs only in case: Prefect and some disks see no difference."""
        for known in self.names():
            if known != name and known.lower() == name.lower():
                raise InvalidInput(f"there is a cluster {known!r} already, which differs only in case", hint="choose another name")

    def check_new(self, name: str) -> None:
        """Raise if a cluster of this name cannot be kept: for `check_name`'s reason, or because there can be no folder for it."""
        self.check_name(name)
        self.home.make(self.folder)

    def save(self, cluster: Cluster) -> None:
        """Keep a cluster and make it the current one. Raises `InvalidInput` if another has the same name but for upper and lower case."""
        self.check_new(cluster.name)
        self._write(f"{cluster.name}.json", json.dumps(cluster.to_json(), indent=2) + "\n")
        self._write("current", cluster.name + "\n")

    def delete(self, name: str) -> None:
        """Forget a cluster. No error if it is not known."""
        (self.folder / f"{check_name(name)}.json").unlink(missing_ok=True)
        self.note_server(name, False)
        if self.current() is None:
            (self.folder / "current").unlink(missing_ok=True)

    def has_server(self, name: str) -> bool:
        """Whether the cluster had a server of trialflow's own when it was last looked at from here."""
        return (self.folder / f"{name}.server").exists()

    def note_server(self, name: str, is_there: bool) -> None:
        """Write down whether the cluster has a server, so that commands need not ask each time."""
        marker = self.folder / f"{check_name(name)}.server"
        if is_there:
            self.home.make(self.folder)
            marker.touch(mode=0o600)
        else:
            marker.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        # Written aside and moved: a reader sees the old file or the new one, and a full disk leaves the old one.
        handle, aside = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            os.replace(aside, self.folder / name)
        except OSError as error:
            Path(aside).unlink(missing_ok=True)
            raise TrialflowError(f"the file {self.folder / name} could not be written: {error.strerror}", hint="make room") from error


def block_name(cluster_name: str) -> str:
    """The name of a cluster's block: Prefect allows only lower case."""
    return check_name(cluster_name).lower()


def cluster_from_block(block: "TrialflowCluster") -> Cluster:
    """The cluster that a block describes. Raises `InvalidInput` if it is not one, as someone may have written it by hand."""
    fields: dict[str, Any] = {name: getattr(block, name) or None for name in ("provider", "namespace", "context", "registry", "api_url", "prices")}
    document = {name: value for name, value in fields.items() if value is not None}
    name = block.cluster_name or block._block_document_name
    return Cluster.from_json({**document, "name": name, "kubeconfig": block.document()})


async def cluster_of_block(name: str) -> Cluster:
    """The cluster that Prefect keeps under this name, by the service account of the pod if we run in it. Raises `InvalidInput` if there is none."""
    from blocks.cluster import TrialflowCluster

    try:
        block = await TrialflowCluster.aload(block_name(name))
    except ValueError as error:
        raise InvalidInput(f"Prefect keeps no cluster {name!r}", hint=CONNECT) from error
    cluster = cluster_from_block(block)
    return cluster.from_inside() if os.environ.get(INSIDE) == block_name(name) else cluster


async def save_block(cluster: Cluster) -> None:
    """Have Prefect keep the cluster, in place of one that it may keep under this name."""
    from blocks.cluster import TrialflowCluster

    facts = cluster.to_json()
    block = TrialflowCluster.model_validate({**facts, "cluster_name": facts.pop("name")})
    await block.asave(block_name(cluster.name), overwrite=True)


async def delete_block(name: str) -> bool:
    """Have Prefect forget the cluster. False if it kept none of that name."""
    from blocks.cluster import TrialflowCluster

    try:
        await TrialflowCluster.adelete(block_name(name))
    except ValueError:
        return False
    return True
