"""A worker that does not start: a setting of the new release is missing."""

raise SystemExit("KeyError: 'QUEUE_NAME'")
