module github.com/daxpay-go/daxpay/test/bench

go 1.23.0

replace github.com/daxpay-go/daxpay => ../..

require (
	github.com/daxpay-go/daxpay v0.0.0
	github.com/go-resty/resty/v2 v2.17.2
	github.com/plutov/paypal/v4 v4.8.0
	github.com/razorpay/razorpay-go v1.3.3
	github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
	github.com/stretchr/testify v1.12.1
	github.com/stripe/stripe-go/v82 v82.5.1
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.43.0 // indirect
)
