"""A camera made of GStreamer's RTSP server: /open for everybody, /locked for monitor with a password (Digest).

``/usr/bin/python3 rtsp_camera.py`` prints its port; it runs by Debian's own Python, which has GStreamer's bindings.
"""

from __future__ import annotations

import sys
from typing import Any

import gi

for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = (
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=5/1 ! jpegenc "
    "! rtpjpegpay name=pay0 )"
)


def factory(*constructing: str) -> Any:
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(PICTURE)
    made.set_shared(True)
    allowed = GstRtspServer.RTSPPermissions()
    for role in ("anybody", "known"):
        allowed.add_role(role)
        allowed.add_permission_for_role(role, "media.factory.access", True)
        allowed.add_permission_for_role(role, "media.factory.construct", role in constructing)
    made.set_permissions(allowed)
    return made


def token(role: str) -> Any:
    made = GstRtspServer.RTSPToken()
    made.set_string("media.factory.role", role)
    return made


Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
auth = GstRtspServer.RTSPAuth()
auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
auth.add_digest("monitor", "secret", token("known"))
auth.set_default_token(token("anybody"))
server.set_auth(auth)
mounts = server.get_mount_points()
mounts.add_factory("/open", factory("anybody", "known"))
mounts.add_factory("/locked", factory("known"))
server.attach(None)
sys.stdout.write(f"{server.get_bound_port()}\n")
sys.stdout.flush()
GLib.MainLoop().run()
