package daxpaytest

import (
	"slices"

	"github.com/daxpay-go/daxpay/model"
)

// The types of receivers and payees.
var (
	aliTypes    = []string{"ali_user_id", "ali_open_id", "ali_login_name"}
	weChatTypes = []string{"wx_personal", "wx_merchant"}
)

func (g *Gateway) addReceiver(p params) (outcome, error) {
	no := p.known("receiverNo")
	release := g.acquire("payment:receiver:"+no, no)
	if release == nil {
		return outcome{}, refuse(codeUnclassified, textReceiverBusy)
	}
	defer release()
	if g.db.receiver(no) != nil {
		return outcome{}, refuse(codeOperation, textReceiverExists)
	}
	r := &receiver{
		ReceiverNo: no, Channel: p.known("channel"), Type: p.known("receiverType"), Account: p.known("receiverAccount"),
		Name: p.text("receiverName"), RelationType: p.known("relationType"), RelationName: p.text("relationName"),
	}
	if err := g.checkReceiver(r); err != nil {
		return outcome{}, err
	}
	if err := g.bind(OpReceiverAdd, no); err != nil {
		return outcome{}, err
	}
	r.ID = g.db.nextID()
	g.db.Receivers = append(g.db.Receivers, r)
	g.changes.row("receiver", r.ID)
	return outcome{}, nil
}

// checkReceiver returns why a channel cannot have a receiver, or nil.
func (g *Gateway) checkReceiver(r *receiver) error {
	types := map[string][]string{channelAli: aliTypes, channelWeChat: weChatTypes}[r.Channel]
	switch {
	case types == nil && g.current():
		return refuse(codeUnsupported, textNoAbility)
	case types == nil && textsOfChannels[r.Channel].disabled == "":
		return refuse(codeUnsupported, textNoChannel)
	case types == nil:
		return fault(codeNoMethod, textOldNoMethod)
	case !slices.Contains(types, r.Type):
		return g.validationFault(textReceiverWrong)
	}
	c := g.settings.Channels[model.Channel(r.Channel)]
	switch {
	case !c.Enabled:
		return refuse(codeUnclassified, textsOfChannels[r.Channel].disabled)
	case !c.Allocation:
		return refuse(codeNotEnabled, textNoBindSetting)
	}
	return nil
}

// bind has the channel bind or unbind a receiver.
func (g *Gateway) bind(op Operation, about string) error {
	a, err := g.ask(op, about, func(bool) answer { return acted })
	switch {
	case err != nil:
		return silent()
	case a.ok || op == OpReceiverRemove && a.subCode == "USER_NOT_EXIST":
		return nil
	}
	return refuse(codeUnclassified, a.subMsg)
}

func (g *Gateway) removeReceiver(p params) (outcome, error) {
	no := p.known("receiverNo")
	r := g.db.receiver(no)
	if r == nil {
		return outcome{}, refuse(codeUnclassified, textNoReceiver)
	}
	for _, group := range g.settings.Groups {
		if slices.ContainsFunc(group.Members, func(m GroupMember) bool { return sameText(m.ReceiverNo, no) }) {
			return outcome{}, refuse(codeOperation, textReceiverUsed)
		}
	}
	release := g.acquire("payment:receiver:"+no, no)
	if release == nil {
		return outcome{}, refuse(codeUnclassified, textReceiverBusy)
	}
	defer release()
	if err := g.checkReceiver(r); err != nil {
		return outcome{}, err
	}
	if err := g.bind(OpReceiverRemove, no); err != nil {
		return outcome{}, err
	}
	g.changes.row("receiver", r.ID)
	g.db.Receivers = slices.DeleteFunc(g.db.Receivers, func(other *receiver) bool { return other.ID == r.ID })
	return outcome{}, nil
}

// queryReceivers lists the receivers of a channel or with a number, the newest first.
func (g *Gateway) queryReceivers(p params) (outcome, error) {
	channel, no := p.known("channel"), p.known("receiverNo")
	if isBlank(channel) && isBlank(no) {
		return outcome{}, g.validationFault(textNoReceiverNo)
	}
	list := []any{}
	for _, r := range slices.Backward(g.db.Receivers) {
		if (isBlank(channel) || sameText(channel, r.Channel)) && (isBlank(no) || sameText(no, r.ReceiverNo)) {
			list = append(list, object{
				{"receiverNo", r.ReceiverNo}, {"channel", r.Channel}, {"receiverType", r.Type},
				{"receiverAccount", r.Account},
				{"receiverName", nullable(r.Name)}, {"relationType", r.RelationType},
				{"relationName", nullable(r.RelationName)},
			})
		}
	}
	return outcome{members: object{{"receivers", list}}}, nil
}
