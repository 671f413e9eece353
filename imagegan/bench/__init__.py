"""Models compared: what a run may cost (`budget`), which runs there are (`plan`; of the comparison study `ranges` and
`study`), runs and what is measured of them (`runs`, `measures`), and their table (`table`)."""
