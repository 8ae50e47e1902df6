"""The monthly uptime report and its annexes."""
