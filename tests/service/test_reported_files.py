"""A file that a model logged reaches the service through the flow's sink, whole and once."""

import base64

from tasks.compute import Report
from tasks.experiments.client import ServiceClient
from tasks.experiments.report_sink import ReportSink
from tests.service.conftest import Running

SVG = b"<svg/>"


async def test_a_file_is_kept_whole_and_once(service: Running) -> None:
    run = service.run(service.experiment())
    report = Report(1, "file", {"name": "plot", "content_type": "image/svg+xml", "content": base64.b64encode(SVG).decode()})
    client = ServiceClient(service.url, service.token)
    try:
        for _ in range(2):  # as a flow that was killed and one that goes on
            await ReportSink(client, str(run["id"]), earlier_checkpoints=0, warn=lambda text: None).apply([report])
        (kept,) = await client.stored_files(str(run["id"]))
    finally:
        client.close()
    assert (kept["name"], kept["content_length"]) == ("plot", len(SVG))
