"""Models compared at an equal budget: what a run may cost (`budget`), which runs there are (`plan`), runs and what is
measured of them (`runs`, `measures`), and their table (`table`)."""
