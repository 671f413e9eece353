"""Kernels: operations that the package computes its own way, each beside its plain twin."""
