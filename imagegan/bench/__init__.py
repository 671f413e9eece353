"""Models compared at an equal budget: what a run may cost (`budget`), runs and what was measured of them (`runs`),
their table (`table`), and what each variant exists for, beside its target (`claims`)."""
