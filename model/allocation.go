package model

// AllocationModel answers a call that starts or ends an allocation, 分账.
type AllocationModel struct {
	Common
	// AllocationNo is the gateway's number of the allocation (分账单号).
	AllocationNo string `json:"allocNo"`
	// BizAllocationNo is the merchant's number of the allocation (商户分账单号).
	BizAllocationNo string `json:"bizAllocNo"`
	// Status is the state of the allocation (分账状态), never empty.
	Status AllocStatus `json:"status" daxpay:"proof"`
}
