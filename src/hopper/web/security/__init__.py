"""Who may do what: accounts, tokens, sessions, and the checks that every request goes through."""
