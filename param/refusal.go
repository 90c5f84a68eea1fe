package param

// Refusals says what the gateway's signed refusals of a call prove: answers whose data.code is 1 and whose data.msg
// holds the reason. The zero value means that they prove nothing, because the gateway also refuses when the channel has
// acted and answered too late.
//
// Whatever Refusals says, a refusal because the gateway does not have the order proves that this send did nothing,
// except for a call with EffectOnce.
type Refusals struct {
	// Harmless: the gateway refuses only before it asks the channel, or passes on the channel's own refusal. A refused
	// send then did nothing.
	Harmless bool
	// HarmlessTexts lists the texts of harmless refusals, for a call where not all are.
	HarmlessTexts []string
	// EarlierSend lists the texts with which the gateway refuses a send because an earlier send of the same order may have
	// taken effect. The refused send itself did nothing.
	EarlierSend []string
}

// transferRefusals are the texts with which gateways refuse a transfer before they ask the channel, as recorded. For
// payouts, only recorded texts are trusted.
var transferRefusals = []string{"不支持的能力", "支付宝支付未启用"}

// Texts of refusals that an earlier send can have caused.
var (
	closeTraces          = []string{"订单不是支付中, 无法进行关闭订单"}
	cancelTraces         = []string{"订单不是支付中, 无法进行撤销订单"}
	refundTraces         = []string{"只有失败状态的才可以重新发起退款"}
	allocationTraces     = []string{"该订单已分账完成", "分账单状态错误，无法重试"}
	allocFinishTraces    = []string{"分账单状态错误"}
	receiverAddTraces    = []string{"该接收方已存在", "分账方处理中，请勿重复操作"}
	receiverRemoveTraces = []string{"该接收方不存在", "分账方处理中，请勿重复操作"}
)

// The statuses that prove that a call succeeded.
var (
	transferProof    = []string{"transferring", "success"}
	allocationProof  = []string{"allocation_processing", "ignore"}
	allocFinishProof = []string{"finish"}
)
