"""A backend that does not start: a setting of the new release is missing."""

raise SystemExit("KeyError: 'PAYMENT_ENDPOINT'")
