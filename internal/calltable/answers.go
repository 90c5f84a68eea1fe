package calltable

import "strings"

// The members of orders, as queries and notices have them.
const (
	PayOrder = `"orderNo":"DEVP24051215501900000","bizOrderNo":"B1","outOrderNo":"4200002","title":"会员 \"VIP\"","description":"A&B&device=ios",` +
		`"allocation":true,"autoAllocation":true,"channel":"wechat_pay","method":"jsapi","amount":9900,"status":"success",` +
		`"refundStatus":"no_refund","allocStatus":"waiting","payTime":1715500200,"expiredTime":"1715502000","closeTime":1715500201,` +
		`"errorCode":"E0","errorMsg":"无"`
	RefundOrder = `"orderNo":"P1","bizOrderNo":"B1","outOrderNo":"4200002","title":"会员","refundNo":"R1","bizRefundNo":"BR1",` +
		`"outRefundNo":"503","channel":"ali_pay","orderAmount":"9900","amount":100,"reason":"买错了\\退","refundTime":1715500200,` +
		`"finishTime":1715500210,"status":"success","errorCode":"E0","errorMsg":"无"`
	AllocOrder = `"allocNo":"A1","bizAllocNo":"BA1","outAllocNo":"300","orderNo":"P1","bizOrderNo":"B1","title":"会员",` +
		`"channel":"ali_pay","amount":60,"description":"佣金","status":"allocation_end","result":"all_success",` +
		`"errorCode":"E0","errorMsg":"无"`

	shares = `"details":[{"receiverNo":"V1","amount":60,%RATE%"receiverType":"wx_merchant","receiverAccount":"1900000109",` +
		`"receiverName":"张\n三 Brown","result":"success","errorCode":"E0","errorMsg":"no: \"x\"","finishTime":%TIME%}]`
	allocStarted = `"allocNo":"A1","bizAllocNo":"BA1","orderId":"1795819690000000001","status":`
)

// Shares returns the member details of AllocOrder. rate is the member rate followed by a comma, or empty; finished is
// the value of finishTime.
func Shares(rate, finished string) string {
	return strings.NewReplacer("%RATE%", rate, "%TIME%", finished).Replace(shares)
}
