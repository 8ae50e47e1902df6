"""SNMP: the BER codec, the v2c and v3 engine, and the poll that reads identity and interfaces."""
