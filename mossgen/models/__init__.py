"""Weights, devices and endpoints: what the plugins run models with."""
