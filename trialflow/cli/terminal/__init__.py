"""The terminal: messages on stderr, tables on stdout, the live table and the screen that they share."""
