package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// settingForms are the forms of the settings page by their act.
var settingForms = map[string]func(*server, *http.Request) error{
	"fail":     (*server).setFault,
	"heal":     (*server).heal,
	"obey":     (*server).obey,
	"clock":    (*server).moveClock,
	"age":      (*server).setMaxAge,
	"expiry":   (*server).setExpiry,
	"signtype": (*server).setSignType,
	"checks":   (*server).setChecks,
	"resends":  (*server).setResends,
	"silent":   (*server).setSilent,
	"secret":   (*server).setSecret,
}

func (s *server) pressOnSettings(r *http.Request) (string, error) {
	set, ok := settingForms[r.PostFormValue("act")]
	if !ok {
		return "", errNoButton
	}
	back := "/_console/settings?said=set"
	if r.PostFormValue("from") == "notices" {
		back = "/_console/notices?said=set"
	}
	return back, set(s, r)
}

// numberIn reads an integer of a form.
func numberIn(r *http.Request, name string, least, most int) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue(name)))
	if err != nil || n < least || n > most {
		return 0, &httpError{http.StatusBadRequest, words{
			fmt.Sprintf("应为 %d 到 %d 之间的整数。", least, most),
			fmt.Sprintf("It must be an integer from %d to %d.", least, most),
		}}
	}
	return n, nil
}

// switchIn reads the value 1 or 0 of a form. There is no default: a form without it must not switch anything off.
func switchIn(r *http.Request) (bool, error) {
	switch r.PostFormValue("value") {
	case "1":
		return true, nil
	case "0":
		return false, nil
	}
	return false, errNoChoice
}

// lineFaults are those that can happen before and after the call has run.
var lineFaults = map[string][2]daxpaytest.Fault{
	"hang":  {daxpaytest.HangBefore, daxpaytest.HangAfter},
	"reset": {daxpaytest.ResetBefore, daxpaytest.ResetAfter},
	"502":   {daxpaytest.BadGatewayBefore, daxpaytest.BadGatewayAfter},
}

// setFault makes the next calls go wrong.
func (s *server) setFault(r *http.Request) error {
	times, err := numberIn(r, "times", 1, 100_000)
	if err != nil {
		return err
	}
	path, name := r.PostFormValue("path"), r.PostFormValue("fault")
	var ok bool
	if name == "late" {
		ms, err := numberIn(r, "delay", 1, 600_000)
		if err != nil {
			return err
		}
		ok = s.gw.Slow(path, times, time.Duration(ms)*time.Millisecond)
	} else {
		fault := daxpaytest.Fault(name)
		if both, twofold := lineFaults[name]; twofold {
			if fault = both[0]; r.PostFormValue("runs") == "1" {
				fault = both[1]
			}
		}
		ok = s.gw.Fail(path, times, fault)
	}
	if !ok {
		return &httpError{http.StatusBadRequest, words{"没有这种故障，或者没有这个调用。", "There is no such fault, or no such call."}}
	}
	s.hub.publish("settings")
	return nil
}

func (s *server) heal(r *http.Request) error {
	s.gw.Heal(r.PostFormValue("path"))
	s.hub.publish("settings")
	return nil
}

func (s *server) obey(r *http.Request) error {
	op, err := operationOf(r)
	if err == nil {
		s.gw.Channel().Obeys(op)
	}
	return err
}

// clockSteps are how far the buttons move the gateway's clock.
var clockSteps = map[string]time.Duration{
	"15s": 15 * time.Second, "1m": time.Minute, "30m": 30 * time.Minute, "1d": 24 * time.Hour,
}

func (s *server) moveClock(r *http.Request) error {
	switch to := r.PostFormValue("to"); to {
	case "stop":
		s.clock.Stop()
	case "run":
		s.clock.Run()
	case "now":
		s.clock.Advance(-time.Until(s.clock.Now()))
		s.clock.Run()
	default:
		step, ok := clockSteps[to]
		if !ok {
			return errNoChoice
		}
		s.clock.Advance(step)
	}
	return s.save(r.Context())
}

// setMaxAge sets how old a request may be; 0 is no limit.
func (s *server) setMaxAge(r *http.Request) error {
	n, err := numberIn(r, "seconds", 0, 86400)
	if err != nil {
		return err
	}
	var limit *time.Duration
	if n > 0 {
		d := time.Duration(n) * time.Second
		limit = &d
	}
	s.gw.Change(func(all *daxpaytest.Settings) { all.MaxAge = limit })
	return nil
}

// setExpiry sets how long an order can be paid.
func (s *server) setExpiry(r *http.Request) error {
	n, err := numberIn(r, "minutes", 1, 100_000)
	if err != nil {
		return err
	}
	d := time.Duration(n) * time.Minute
	s.gw.Change(func(all *daxpaytest.Settings) { all.OrderTimeout = &d })
	return nil
}

func (s *server) setSignType(r *http.Request) error {
	t := daxpay.SignType(r.PostFormValue("value"))
	if t != daxpay.HMACSHA256 && t != daxpay.MD5 {
		return errNoChoice
	}
	s.gw.Change(func(all *daxpaytest.Settings) { all.SignType = t })
	return nil
}

func (s *server) setChecks(r *http.Request) error {
	on, err := switchIn(r)
	if err == nil {
		s.gw.Change(func(all *daxpaytest.Settings) { all.ChecksSignatures = on })
	}
	return err
}

func (s *server) setResends(r *http.Request) error {
	on, err := switchIn(r)
	if err == nil {
		s.gw.Change(func(all *daxpaytest.Settings) { all.Resends = on })
	}
	return err
}

// setSilent sets whether the channel's messages are lost.
func (s *server) setSilent(r *http.Request) error {
	on, err := switchIn(r)
	if err != nil {
		return err
	}
	s.silent.Store(on)
	return s.save(r.Context())
}

// earlierSecrets is how many former secrets are tried on a signature that does not fit.
const earlierSecrets = 5

func (s *server) setSecret(r *http.Request) error {
	secret := strings.TrimSpace(r.PostFormValue("secret"))
	if secret == "" || len(secret) > 200 {
		return &httpError{
			http.StatusBadRequest,
			words{"签名秘钥不能为空，最多 200 个字符。", "The secret must not be empty, and has at most 200 characters."},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, s.secret)
	s.secrets = s.secrets[max(0, len(s.secrets)-earlierSecrets):]
	s.secret = secret
	s.gw.ChangeSecret(secret)
	return nil
}
