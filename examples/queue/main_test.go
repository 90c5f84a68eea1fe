package main

import (
	"context"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t.Setenv("DATABASE_URL", "")
	if err := run(ctx); err != nil {
		t.Fatal(err)
	}
}
