module github.com/daxpay-go/daxpay/examples/pay_qrcode

go 1.23.0

require (
	github.com/daxpay-go/daxpay v0.0.0
	github.com/mdp/qrterminal/v3 v3.2.1
)

require (
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	golang.org/x/net v0.43.0 // indirect
	golang.org/x/sys v0.35.0 // indirect
	golang.org/x/term v0.34.0 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace github.com/daxpay-go/daxpay => ../..
