package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The simplest way to sign and verify: struct → map → sort → hmac.New. It is correct only for flat messages of strings
// and small integers.

func naiveSign(p any) (string, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return naiveSignJSON(raw)
}

func naiveSignJSON(raw []byte) (string, error) {
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", err
	}
	return naiveDigest(members), nil
}

func naiveDigest(members map[string]any) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch v := members[name].(type) {
		case nil:
		case float64:
			pairs = append(pairs, fmt.Sprintf("%s=%.0f", name, v))
		default:
			if name != "sign" {
				pairs = append(pairs, fmt.Sprintf("%s=%v", name, v))
			}
		}
	}
	text := strings.NewReplacer(`"`, "", `\`, "").Replace(strings.Join(pairs, "&")) + "&key=" + secret
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func naiveVerify(object []byte) error {
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	if members["sign"] != naiveDigest(members) {
		return errors.New("wrong signature")
	}
	return nil
}

// naiveParam is the request of four members as encoding/json writes it.
type naiveParam struct {
	BizOrderNo string `json:"bizOrderNo"`
	ClientIP   string `json:"clientIp"`
	NonceStr   string `json:"nonceStr"`
	ReqTime    int64  `json:"reqTime"`
}

func fourMembersNaive() naiveParam {
	return naiveParam{BizOrderNo: "SDK_1715341621498", ClientIP: "127.0.0.1", NonceStr: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		ReqTime: 1715500231}
}
