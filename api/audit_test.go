package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"pbx.dev/dialtone/internal/phone"
)

// noAudit keeps nothing.
type noAudit struct{}

func (noAudit) RecordAudit(context.Context, phone.Audit) error { return nil }

func (noAudit) AuditTrail(context.Context, phone.AuditFilter, int64, int) ([]phone.Audit, error) {
	return nil, nil
}

func TestAuditForReal(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	made := c.do(201, "POST /v1/pbx/extensions", `{"number":"101","name":"Front Desk"}`)
	c.do(200, "PATCH /v1/pbx/extensions/101", `{"name":"Hall"}`)
	rotated := c.do(200, "POST /v1/pbx/extensions/101/credentials", "")
	desk := c.do(201, "POST /v1/pbx/phones", `{"macAddress":"0004f2000001","settings":{"device.auth.localAdminPassword":"hush-1"}}`)
	call := "/v1/pbx/phones/" + desk["id"].(string)
	c.do(200, "PATCH "+call, `{"name":"Desk","settings":{"device.auth.localAdminPassword":"hush-2"}}`)
	c.do(200, "GET "+call, "")
	if p := c.do(200, "GET "+call+"?settings=false", ""); p["settings"] != nil { // shows no secret
		t.Errorf("with settings: %v", p)
	}
	c.do(200, "GET /v1/pbx/phones", "") // shows no secret
	c.do(422, "PATCH "+call, `{"macAddress":"x"}`)
	key := c.do(201, "POST /v1/pbx/keys", `{"name":"reader","scopes":["pbx:phones:read"]}`)
	c.do(204, "DELETE "+call, "")

	w := send(t, c.handler, request{call: "GET /v1/pbx/audit", key: c.key})
	for _, secret := range []any{made["sipPassword"], rotated["sipPassword"], "hush-1", "hush-2", key["key"]} {
		if strings.Contains(w.Body.String(), secret.(string)) {
			t.Errorf("the trail tells the secret %v", secret)
		}
	}
	var trail struct{ Audit []auditAnswer }
	if err := json.Unmarshal(w.Body.Bytes(), &trail); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range trail.Audit {
		got = append(got, a.Action+" "+string(a.Detail))
		if a.KeyName != "test" || a.KeyID == "" || a.RequestID != "test" || a.Subject == "" || a.Source != "192.0.2.1" {
			t.Errorf("%+v", a)
		}
	}
	want := []string{
		"DELETE /v1/pbx/phones/{id} ",
		`POST /v1/pbx/keys {"scopes":["pbx:phones:read"],"secretShown":"key"}`,
		`GET /v1/pbx/phones/{id} {"secretShown":"settings"}`,
		`PATCH /v1/pbx/phones/{id} {"changed":{"name":["","Desk"],"settings":["device.auth.localAdminPassword"]}}`,
		`POST /v1/pbx/phones {"macAddress":"00:04:F2:00:00:01"}`,
		`POST /v1/pbx/extensions/{number}/credentials {"secretShown":"sipPassword"}`,
		`PATCH /v1/pbx/extensions/{number} {"changed":{"name":["Front Desk","Hall"]}}`,
		`POST /v1/pbx/extensions {"secretShown":"sipPassword"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	one := c.do(200, "GET /v1/pbx/audit?subject=101&limit=2", "")
	if n := len(one["audit"].([]any)); n != 2 || one["next"] == nil {
		t.Errorf("%v", one)
	}
	rest := c.do(200, "GET /v1/pbx/audit?subject=101&limit=2&cursor="+one["next"].(string), "")
	if n := len(rest["audit"].([]any)); n != 1 || rest["next"] != nil {
		t.Errorf("%v", rest)
	}
	c.do(422, "GET /v1/pbx/audit?cursor=eHl6", "")
}
