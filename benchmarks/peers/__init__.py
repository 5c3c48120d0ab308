"""Contenders: what each prepares once, and how it makes the batches of a job."""
