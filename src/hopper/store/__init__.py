"""What hopper remembers: TinyDB documents behind a journal, events, the lock, the mailbox."""
