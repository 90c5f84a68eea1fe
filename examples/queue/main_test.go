package main

import "testing"

func TestRun(t *testing.T) {
	t.Setenv("DATABASE_URL", "")
	if err := run(); err != nil {
		t.Fatal(err)
	}
}
