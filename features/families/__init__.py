"""The families of signals, one a module: what each finds in a summary or a request."""
