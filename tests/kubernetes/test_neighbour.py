"""What a command forwards from a server in the cluster is of no use to other users of this machine, nor to a neighbour in a network of its own.

The API server is a scripted one; what is behind it is a real service.
"""

import asyncio
from pathlib import Path

from aiohttp import web

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.tunnel import Tunnel
from tests.embedded.neighbours import as_nobody, asked, needs_root, network_beside
from tests.kubernetes.test_port_forward import Api, serving
from tests.service.conftest import started

pytestmark = needs_root
QUESTIONS = ("/v1/tokens/self", "/v1/clients/1/projects", "/v1/aiexperiments/1")


async def test_a_forwarded_port_answers_other_users_without_the_token_nothing_and_a_neighbour_not_at_all(tmp_path: Path) -> None:
    with started(tmp_path / "home") as service, network_beside() as network:
        behind = int(service.url.rsplit(":", 1)[1])

        async def forward(socket: web.WebSocketResponse) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", behind)

            async def back() -> None:
                while chunk := await reader.read(1 << 16):
                    await socket.send_bytes(b"\x00" + chunk)
                await socket.close()

            answering = asyncio.create_task(back())
            async for message in socket:
                writer.write(message.data[1:])
            answering.cancel()
            writer.close()

        def attack(cluster: Cluster) -> None:
            with Tunnel(cluster, "trialflow-server-0", {80: 0}) as ports:
                for path in QUESTIONS:
                    for headers, status in (((), "401"), (("Authorization: Bearer guessed",), "403")):
                        answer = as_nobody(lambda path=path, headers=headers: asked(("127.0.0.1", ports[80]), "GET", path, *headers))
                        assert answer.split(maxsplit=2)[1] == status and service.token not in answer, answer
                for host in (network.ours, "127.0.0.1"):
                    told = as_nobody(lambda host=host: asked((host, ports[80]), "GET", "/health"), network=network.name)
                    assert told == "ConnectionRefusedError", told
                network.let_loopback_in()
                answer = as_nobody(lambda: asked(("127.0.0.1", ports[80]), "GET", QUESTIONS[0]), network=network.name)
                assert answer.startswith("HTTP/1.1 401")

        async with serving(Api(forward)) as cluster:
            await asyncio.to_thread(attack, cluster)
