"""HTTP servers that tests and the demo start; real client libraries talk to them."""
