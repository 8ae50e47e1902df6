"""The public status page shows the chosen systems to whoever comes, and nothing of anything else."""

from __future__ import annotations

from pathlib import Path

import httpx2

from tests.dashboards.conftest import Site, write
from tests.support.daemon import Daemon


def test_a_stranger_sees_state_and_month_of_the_chosen_systems_and_nothing_else(site: Site) -> None:
    with httpx2.Client(base_url=site.base) as stranger:
        page = stranger.get("/status")
        assert page.status_code == 200
        assert "Mạng WAN" in page.text
        assert "WAN" in stranger.get("/status?lang=en").text
        for hidden in ("Nội bộ", "Lục Ngạn", "127.0.0.1", "/system/", "/target/", "/incident", "99,9<", "objective"):
            assert hidden not in page.text, hidden
        part = stranger.get("/part/status")
        assert part.status_code == 200
        assert part.headers["etag"]
        assert stranger.get("/").status_code == 303, "the rest stays shut"
        assert stranger.get("/part/wall").status_code == 401
        assert stranger.get("/api/v1/systems").status_code == 401
        assert stranger.post("/status").status_code == 405


def test_without_chosen_systems_there_is_no_such_page(tmp_path: Path, site: Site) -> None:
    with Daemon(write(tmp_path, site.server.port, '{listen: "127.0.0.1:0"}')) as daemon:
        base = daemon.wait_for("pages are served")["address"]
        assert httpx2.get(f"{base}/status").status_code == 404
        assert httpx2.get(f"{base}/part/status").status_code == 404
