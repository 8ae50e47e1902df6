"""A remote metric store behind our own spool: InfluxDB 1.x, 2.x, 3.x and VictoriaMetrics."""
