"""Storage: the ledger of availability, the metric stores and the spool in front of a remote one."""
