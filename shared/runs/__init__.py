"""Carry out a job and record it: one experiment on one framework with one seed; tables and curves of runs."""
