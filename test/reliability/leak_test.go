package main

import (
	"os"
	"testing"

	"github.com/daxpay-go/daxpay/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }
