"""Speed, as ratios within one run against PostgreSQL's own pgbench on the same server; absolute times mean nothing."""
