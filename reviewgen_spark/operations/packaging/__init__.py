"""Packs what a machine or a cluster needs: the Delta jars, the libraries of executors."""
