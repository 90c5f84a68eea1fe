package model

// TransferModel is the answer to a transfer, 转账.
type TransferModel struct {
	Common
	// BizTransferNo is the merchant's number of the transfer (商户转账号), never empty.
	BizTransferNo string `json:"bizTransferNo" daxpay:"proof"`
	// TransferNo is the gateway's number of the transfer (转账号), never empty.
	TransferNo string `json:"transferNo" daxpay:"proof"`
	// Status is the state of the transfer (转账状态), never empty.
	Status TransferStatus `json:"status" daxpay:"proof"`
}

// TransferSyncModel is the answer to a transfer sync, 转账同步. Gateway 2.0.8 refuses every transfer sync.
type TransferSyncModel struct {
	Common
	// Status is the state of the transfer (转账状态), never empty.
	Status TransferStatus `json:"status" daxpay:"proof"`
}

// TransferOrderModel is the answer to the query of a transfer, 转账订单查询.
type TransferOrderModel struct {
	Common
	// BizTransferNo is the merchant's number of the transfer (商户转账号).
	BizTransferNo string `json:"bizTransferNo"`
	// TransferNo is the gateway's number of the transfer (转账号), never empty.
	TransferNo string `json:"transferNo" daxpay:"proof"`
	// OutTransferNo is the channel's number of the transfer (通道转账号).
	OutTransferNo string `json:"outTransferNo"`
	// Channel is the channel of the transfer (支付通道).
	Channel Channel `json:"channel"`
	// Amount is what is paid out (转账金额), in fen, never 0.
	Amount int64 `json:"amount" daxpay:"proof"`
	// Title (标题) and Reason (转账原因) are the merchant's texts.
	Title  string `json:"title" daxpay:"text"`
	Reason string `json:"reason" daxpay:"text"`
	// TransferType is the purpose of the transfer (转账类型).
	TransferType TransferType `json:"transferType"`
	// PayeeType (收款人类型), PayeeAccount (收款人账号) and PayeeName (收款人姓名) identify the payee.
	PayeeType    PayeeType `json:"payeeType"`
	PayeeAccount string    `json:"payeeAccount"`
	PayeeName    string    `json:"payeeName" daxpay:"text"`
	// Status is the state of the transfer (转账状态), never empty.
	Status TransferStatus `json:"status" daxpay:"proof"`
	// SuccessTime is when the transfer succeeded (成功时间).
	SuccessTime Time `json:"successTime"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}
