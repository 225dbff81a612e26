package inventory

import (
	"fmt"
	"testing"

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
			page := must[[]phone.Audit](t)(s.AuditTrail(ctx, "", before, 2))
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
		one := must[[]phone.Audit](t)(s.AuditTrail(ctx, "phone_1", 0, 10))
		if len(one) != 2 || one[0].KeyName != "admin" || one[0].Detail != `{"name":["a","b"]}` || one[0].At.IsZero() || one[0].Status != 200 {
			t.Errorf("%+v", one)
		}
	})
}
