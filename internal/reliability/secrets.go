package main

func secrets(t *trial) error { return nil }
