"""Grafana: dashboards described once, written in the query language of each store, exported as files or pushed."""
