"""The RTSP probe before a real server with a real stream: GStreamer's, as cameras have it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haidang.clock import SystemClock
from haidang.model import Status
from probes.kinds import probe
from probes.rtsp import RtspSettings
from tests.support.parts import missing

CAMERA = Path(__file__).parents[2] / "support" / "rtsp_camera.py"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    python = Path("/usr/bin/python3")
    bound = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if not python.exists() or subprocess.run([python, "-c", bound], capture_output=True, check=False).returncode:
        missing(
            "GStreamer's RTSP server is not installed: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
        )
    with subprocess.Popen([python, CAMERA], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


@pytest.mark.parametrize(
    ("path", "username", "password", "status", "reason", "code"),
    [
        ("", "", "", Status.UP, "", 200),
        ("/open", "", "", Status.UP, "", 200),
        ("/locked", "monitor", "secret", Status.UP, "", 200),
        ("/locked", "", "", Status.UP, "", 401),  # it lives, and nobody told us the password
        ("/locked", "monitor", "wrong", Status.DOWN, "it refuses the user monitor or the password", 401),
        ("/nothing", "", "", Status.DOWN, "it answered 404 Not Found to DESCRIBE /nothing", 404),
    ],
)
async def test_a_camera_is_judged_by_its_stream(
    port: int, path: str, username: str, password: str, status: Status, reason: str, code: int
) -> None:
    settings = RtspSettings(port=port, path=path, username=username, password=password, timeout_s=10)
    seen = await probe("rtsp", SystemClock(), "camera", "127.0.0.1", settings)
    assert (seen.status, seen.reason, seen.fields["status_code"]) == (status, reason, code)
    if code == 200 and path:
        assert seen.fields["description"] == "video 0 RTP/AVP 26"
