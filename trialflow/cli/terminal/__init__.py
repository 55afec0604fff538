"""The terminal: messages on stderr, tables on stdout, safe streams, and the live table and the screen that it is drawn on."""
