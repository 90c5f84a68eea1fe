package param

import "github.com/daxpay-go/daxpay/model"

// AllocFinishParam ends an allocation and releases what was not given away: allocation finish, 分账完结. One of the two numbers
// is needed; if both are set, the gateway looks at AllocationNo only.
type AllocFinishParam struct {
	Common
	// AllocationNo is the gateway's number of the allocation (分账单号), at most 32 characters.
	AllocationNo string `json:"allocNo" daxpay:"no,oneof,max=32"`
	// BizAllocationNo is the merchant's number of the allocation (商户分账单号), at most 100 characters.
	BizAllocationNo string `json:"bizAllocNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*AllocFinishParam) Call() Call[model.AllocationModel] {
	return Call[model.AllocationModel]{
		Path:    "/unipay/allocation/finish",
		Recover: "look at the allocation in the gateway's console: finish means that it ran, finish_failed that it may be sent again",
	}
}
