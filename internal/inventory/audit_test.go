package inventory

import (
	"fmt"
	"testing"
	"time"

	"pbx.dev/dialtone/internal/phone"
)

func TestAuditTrail(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for i := range 5 {
			a := phone.Audit{
				KeyID: "key_1", KeyName: "admin", Source: "192.0.2.1", RequestID: fmt.Sprint(i), Action: "PATCH /v1/pbx/phones/{id}",
				Subject: fmt.Sprintf("phone_%d", i%2), Status: 200, Detail: `{"name":["a","b"]}`,
			}
			if err := s.RecordAudit(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		var got string
		for before := int64(0); ; {
			page := must[[]phone.Audit](t)(s.AuditTrail(ctx, phone.AuditFilter{}, before, 2))
			for _, a := range page {
				got += a.RequestID
				before = a.ID
			}
			if len(page) < 2 {
				break
			}
		}
		if got != "43210" {
			t.Errorf("order %s", got)
		}
		for f, want := range map[phone.AuditFilter]int{
			{KeyID: "key_1"}: 5, {KeyID: "key_2"}: 0, {Action: "PATCH"}: 5, {Action: "phones/{id}"}: 5, {Action: "%"}: 0, {Action: "_hones"}: 0,
			{Action: "PATCH", Subject: "phone_0"}: 3, {From: time.Now().Add(time.Hour)}: 0, {To: time.Now().Add(time.Hour), From: time.UnixMilli(1)}: 5, {To: time.UnixMilli(1)}: 0,
		} {
			if list := must[[]phone.Audit](t)(s.AuditTrail(ctx, f, 0, 10)); len(list) != want {
				t.Errorf("%+v: %d entries, want %d", f, len(list), want)
			}
		}
		one := must[[]phone.Audit](t)(s.AuditTrail(ctx, phone.AuditFilter{Subject: "phone_1"}, 0, 10))
		if len(one) != 2 || one[0].KeyName != "admin" || one[0].Detail != `{"name":["a","b"]}` || one[0].At.IsZero() || one[0].Status != 200 {
			t.Errorf("%+v", one)
		}
	})
}
