"""Labels of responses, and the rates they come to."""
