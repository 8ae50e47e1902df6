"""The schema: one frozen model per section, the default beside the type, the description beside the default."""
