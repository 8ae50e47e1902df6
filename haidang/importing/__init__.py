"""The inventory in and out: spreadsheets and NetBox put beside the configuration, and what differs written into it."""
