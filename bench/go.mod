module github.com/daxpay-go/daxpay/bench

go 1.23.0

require github.com/daxpay-go/daxpay v0.0.0

require (
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	golang.org/x/net v0.43.0 // indirect
)

replace github.com/daxpay-go/daxpay => ..
