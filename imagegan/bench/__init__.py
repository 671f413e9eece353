"""Models compared: which runs there are and what each may cost (`plan`; of the comparison study `ranges` and `study`),
runs and what is measured of them (`runs`, `measures`), and their table (`table`). The time of a round: `speed`."""
