"""Who may look and who may change something: users, sessions, invitations, tokens of programs."""
