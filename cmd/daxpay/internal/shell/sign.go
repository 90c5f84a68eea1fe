package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// message is a JSON object that is signed, and what it is.
type message struct {
	kind   string
	object []byte
}

// The kinds of messages.
const (
	kindRequest = "a request"
	kindNotice  = "a notice"
	kindData    = "the data of an answer"
	kindAnswer  = "an answer, whose data is signed"
)

// parse finds the object that is signed in a copied text: an answer has it in data, and a log may have quoted it.
func parse(text []byte) (message, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = []byte(quoted)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return message{}, failure(exitUnverified, "%s", notJSON(text, err))
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if value, ok := members[name]; ok && string(value) != "null" {
				return true
			}
		}
		return false
	}
	data := bytes.TrimSpace(members["data"])
	switch {
	case bytes.HasPrefix(data, []byte("{")) && has("code"):
		return message{kindAnswer, data}, nil
	case has("reqTime"):
		return message{kindRequest, text}, nil
	case has("code") && !has("sign") && !has("resTime"):
		var code, msg string
		_, _ = fmt.Sscan(string(members["code"]), &code)
		_ = json.Unmarshal(members["msg"], &msg)
		return message{}, failure(exitUnverified, "this is a refusal of the gateway, which is not signed: code %s: %s",
			code, msg)
	case hasName(members, "attach"):
		return message{kindNotice, text}, nil
	}
	return message{kindData, text}, nil
}

func hasName(members map[string]json.RawMessage, name string) bool {
	_, ok := members[name]
	return ok
}

// notJSON says what the text is instead of a JSON object. It quotes nothing of it.
func notJSON(text []byte, err error) string {
	s := "the message is not one JSON object"
	switch {
	case len(text) == 0:
		return "there is no message: the input is empty"
	case text[0] == '<':
		s += ": it begins with <, as an HTML page does"
	case text[0] == '[':
		s += ": it is a list; give one message at a time"
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		s += ": it is compressed (gzip)"
	case bytes.Contains(text, []byte("=")) && !bytes.ContainsAny(text, "{"):
		s += ": it looks like a form, or like the signed text; the gateway sends JSON"
	default:
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			s += fmt.Sprintf(": %v, after %d bytes", syntax, syntax.Offset)
		}
	}
	return s
}

// signing makes the subcommands that read one message and need the secret only.
func (s *shell) signing(
	use, short, long string, f func(cfg daxpay.Config, signer *daxpay.Signer, text []byte) error,
) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " [FILE]", Short: short, Long: long, Args: cobra.MaximumNArgs(1),
		RunE: s.run(func(cmd *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			cfg, err := s.config(cmd, false)
			if err != nil {
				return err
			}
			signType := cfg.SignType
			if signType == "" {
				signType = daxpay.HMACSHA256
			}
			signer, err := daxpay.NewSigner(signType, cfg.SignSecret)
			if err != nil {
				return err
			}
			text, err := s.read(cmd.Context(), name)
			if err != nil {
				return err
			}
			cfg.SignType = signType
			return f(cfg, signer.In(cfg.Location), text)
		}),
	}
	addSettings(cmd, false)
	return cmd
}

// checking makes the subcommands that check the signature of a message.
func (s *shell) checking(
	use, short, long string, f func(cfg daxpay.Config, signer *daxpay.Signer, m message, c *checked) error,
) *cobra.Command {
	return s.signing(use, short, long, func(cfg daxpay.Config, signer *daxpay.Signer, text []byte) error {
		m, err := parse(text)
		if err != nil {
			return err
		}
		c, err := check(cfg, signer, m)
		if err != nil {
			return err
		}
		if err := f(cfg, signer, m, &c); err != nil {
			return err
		}
		return c.err()
	})
}

func (s *shell) signCommand() *cobra.Command {
	var text, whole bool
	cmd := s.signing("sign", "Print the signature of a JSON object",
		"Prints the signature of the JSON object in FILE or the standard input: a request, a notice, or the data of an\n"+
			"answer. Its own sign member is left out.",
		func(cfg daxpay.Config, signer *daxpay.Signer, object []byte) error {
			sign, err := signer.Sign(object)
			if err != nil {
				return err
			}
			canonical, err := signer.Canonical(object)
			if err != nil {
				return err
			}
			switch {
			case whole:
				signed, err := withSign(object, sign)
				if err != nil {
					return err
				}
				s.printf("%s\n", signed)
			case s.json:
				return s.printJSON(map[string]any{
					"sign": sign, "signType": cfg.SignType, "text": masked(canonical, cfg) + "&key=***",
				})
			case text:
				s.printf("%s&key=***\n", masked(canonical, cfg))
			default:
				s.printf("%s\n", sign)
			}
			return nil
		})
	cmd.Flags().BoolVar(&text, "text", false, "print the text that is signed instead")
	cmd.Flags().BoolVar(&whole, "message", false, "print the whole object with its sign instead")
	cmd.MarkFlagsMutuallyExclusive("text", "message")
	return cmd
}

// withSign puts the signature into an object.
func withSign(object []byte, sign string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	members["sign"], _ = json.Marshal(sign)
	return plainJSON(members)
}

// masked removes the secret from a text, in case a message contains it.
func masked(text string, cfg daxpay.Config) string {
	for _, secret := range append([]string{cfg.SignSecret}, cfg.PreviousSecrets...) {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// checked is the result of verify and explain.
type checked struct {
	Message     string        `json:"message"`
	Right       bool          `json:"right"`
	SignType    string        `json:"signType"`
	Text        string        `json:"text,omitempty"`
	Expected    string        `json:"expected,omitempty"`
	Received    string        `json:"received,omitempty"`
	Cause       string        `json:"cause,omitempty"`
	SecretIndex int           `json:"secretIndex,omitempty"`
	Notes       []string      `json:"notes,omitempty"`
	Notice      *noticeReport `json:"notice,omitempty"`
}

// check verifies a message with the secret and the previous ones.
func check(cfg daxpay.Config, signer *daxpay.Signer, m message) (checked, error) {
	c := checked{Message: m.kind, SignType: string(cfg.SignType)}
	err := signer.Verify(m.object)
	var wrong *daxpay.SignError
	if err != nil && !errors.As(err, &wrong) {
		return c, err
	}
	if err == nil {
		c.Right = true
		return c, nil
	}
	for i, secret := range cfg.PreviousSecrets {
		previous, newErr := daxpay.NewSigner(cfg.SignType, secret)
		if newErr == nil && previous.In(cfg.Location).Verify(m.object) == nil {
			c.Right, c.SecretIndex = true, i+1
			return c, nil
		}
	}
	for _, line := range strings.Split(wrong.Explain(), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "text":
			c.Text = value
		case "expected":
			c.Expected = value
		case "received":
			c.Received = value
		case "cause":
			c.Cause = inWords(value)
		}
	}
	return c, nil
}

func (s *shell) verifyCommand() *cobra.Command {
	return s.checking("verify", "Check the signature of a message",
		"Checks the signature of the message in FILE or the standard input: a request, an answer or a notice. Exit\n"+
			"status 5: it is not right.",
		func(_ daxpay.Config, _ *daxpay.Signer, m message, c *checked) error {
			c.Text, c.Expected, c.Received = "", "", "" // which explain shows
			switch {
			case s.json:
				return s.printJSON(c)
			case c.Right:
				s.printf("the signature is %s: %s, %s%s\n", s.paint(green, "right"), m.kind, c.SignType, c.secret())
			}
			return nil
		})
}

// secret tells which secret it was, if it is not the current one.
func (c checked) secret() string {
	if c.SecretIndex == 0 {
		return ""
	}
	return fmt.Sprintf(", with previous secret %d", c.SecretIndex)
}

// err is nil if the signature is right.
func (c checked) err() error {
	if c.Right {
		return nil
	}
	return failure(exitUnverified, "the signature is not right: %s", c.Cause)
}

func (s *shell) explainCommand() *cobra.Command {
	return s.checking("explain", "Show how a message is signed, and why its signature does not fit",
		"Shows how the message in FILE or the standard input is signed: a request, an answer or a notice. If the\n"+
			"signature does not fit, it names the likely cause. The output holds the message and the signature that it\n"+
			"should have, but not the secret: it is for the operator of the shop only. Exit status 5: it does not fit.",
		func(cfg daxpay.Config, signer *daxpay.Signer, m message, c *checked) error {
			if c.Right {
				canonical, err := signer.Canonical(m.object)
				if err != nil {
					return err
				}
				c.Text = masked(canonical, cfg) + "&key=***"
				c.examine(cfg, m, time.Now())
			}
			if s.json {
				return s.printJSON(c)
			}
			s.printf("message:   %s\nalgorithm: %s\ntext:      %s\n", m.kind, c.SignType, c.Text)
			if c.Right {
				s.printf("signature: %s%s\n", s.paint(green, "right"), c.secret())
			} else {
				s.printf("expected:  %s\nreceived:  %s\nsignature: %s\ncause:     %s\n",
					c.Expected, c.Received, s.paint(red, "wrong"), c.Cause)
			}
			for _, note := range c.Notes {
				s.printf("note:      %s\n", note)
			}
			return nil
		})
}

// examine adds notes about a message whose signature is right.
func (c *checked) examine(cfg daxpay.Config, m message, now time.Time) {
	switch m.kind {
	case kindRequest:
		c.examineRequest(m.object, now)
	case kindNotice, kindData:
		kit, err := daxpay.New(cfg)
		if err != nil {
			return
		}
		notice, err := kit.ParseNotice(m.object)
		switch {
		case err == nil:
			c.Message, c.Notice = kindNotice, reportOf(notice)
			c.Notes = append(c.Notes, c.Notice.String())
		case m.kind == kindNotice:
			c.Notes = append(c.Notes, "as a notice it is refused: "+strings.TrimPrefix(err.Error(), "daxpay: "))
		}
	}
}

// examineRequest looks at the time of a request: gateways refuse old ones.
func (c *checked) examineRequest(object []byte, now time.Time) {
	var request struct{ ReqTime json.Number }
	if json.Unmarshal(object, &request) != nil {
		return
	}
	seconds, err := request.ReqTime.Int64()
	if err != nil {
		return
	}
	switch age := now.Sub(time.Unix(seconds, 0)).Truncate(time.Second); {
	case seconds > 1e11:
		c.Notes = append(c.Notes, "reqTime looks like milliseconds; the gateway takes Unix seconds")
	case age > 10*time.Second:
		c.Notes = append(c.Notes, fmt.Sprintf("reqTime is %v ago: gateway 2.0.8 refuses what is older than 10 seconds", age))
	case age < -time.Minute:
		c.Notes = append(c.Notes, fmt.Sprintf("reqTime is %v ahead: gateway 2.0.8 refuses more than a minute", -age))
	}
}

// noticeReport is what a notice says.
type noticeReport struct {
	Kind      model.NoticeKind `json:"kind"`
	Number    string           `json:"number"`
	BizNumber string           `json:"bizNumber"`
	Status    string           `json:"status"`
	Standing  string           `json:"standing"`
	Amount    int64            `json:"amount"`
}

func reportOf(n model.Notice) *noticeReport {
	return &noticeReport{n.Kind(), n.Number(), n.BizNumber(), n.State(), n.Standing().String(), n.Total()}
}

func (r *noticeReport) String() string {
	return fmt.Sprintf("%s %s (%s): status %s, %d fen: %s", r.Kind, r.BizNumber, r.Number, r.Status, r.Amount, r.Standing)
}
