package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pbx.dev/dialtone/internal/phone"
)

func draft(text string) phone.TemplateDraft {
	return phone.TemplateDraft{TemplateContent: phone.TemplateContent{Text: text, Models: []string{"T46S"}}, Base: "base", Note: "why", By: "key_1"}
}

func TestTemplateRevisions(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var told []Change
		s.OnChange(func(c Change) { told = append(told, c) })
		want := phone.Template{Name: "reception", Vendor: phone.Yealink, File: "phone"}
		made, first, err := s.CreateTemplate(ctx, want, draft("one"))
		if err != nil || made.Active != 0 || made.Latest != 1 || first.Number != 1 || len(first.ID) != 64 {
			t.Fatalf("created %+v %+v, %v", made, first, err)
		}
		if _, _, err := s.CreateTemplate(ctx, want, draft("two")); err == nil {
			t.Error("the name was given twice")
		} else {
			wantErr(t, err, phone.ErrConflict)
		}
		d := draft("two")
		d.Activate = true
		updated, second, err := s.UpdateTemplate(ctx, "reception", d)
		if err != nil || updated.Active != 2 || second.ID == first.ID {
			t.Fatalf("updated %+v %+v, %v", updated, second, err)
		}
		if again, same, err := s.UpdateTemplate(ctx, "reception", draft("two")); err != nil || again.Latest != 2 || same.ID != second.ID {
			t.Errorf("the same content made revision %+v, %v", again, err)
		}
		list := must[[]phone.TemplateRevision](t)(s.TemplateRevisions(ctx, "reception", 0, 10))
		if diff := cmp.Diff([]phone.TemplateRevision{second, first}, list); diff != "" {
			t.Errorf("revisions (-want +got):\n%s", diff)
		}
		if list := must[[]phone.TemplateRevision](t)(s.TemplateRevisions(ctx, "reception", 2, 10)); len(list) != 1 || list[0].Number != 1 {
			t.Errorf("revisions before 2: %+v", list)
		}
		back := must[phone.Template](t)(s.ActivateTemplate(ctx, "reception", 1, nil))
		templates, active, err := s.ActiveTemplates(ctx)
		if err != nil || len(active) != 1 || active[0].Text != "one" || templates[0] != back {
			t.Errorf("active %+v %+v, %v", templates, active, err)
		}
		must[phone.Template](t)(s.ActivateTemplate(ctx, "reception", 0, nil))
		if _, active, err := s.ActiveTemplates(ctx); err != nil || len(active) != 0 {
			t.Errorf("active %+v, %v", active, err)
		}
		if _, shown, err := s.ShownTemplates(ctx); err != nil || len(shown) != 1 || shown[0].Number != 2 {
			t.Errorf("shown %+v, %v, want the newest", shown, err)
		}
		for _, number := range []int64{-1, 3} {
			_, err := s.ActivateTemplate(ctx, "reception", number, nil)
			wantErr(t, err, phone.ErrNotFound)
		}
		if err := s.DeleteTemplate(ctx, "reception", nil); err != nil {
			t.Fatal(err)
		}
		wantErr(t, s.DeleteTemplate(ctx, "reception", nil), phone.ErrNotFound)
		_, err = s.TemplateRevision(ctx, "reception", 1)
		wantErr(t, err, phone.ErrNotFound)
		if len(told) != 6 || !cmp.Equal(told[5], Change{Kind: ChangeTemplate, ID: "reception", Deleted: true}) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestTemplatesThatCannotBe(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, s *Store) {
		good := phone.Template{Name: "a", Vendor: phone.Yealink, File: "phone"}
		for name, c := range map[string]struct {
			change func(*phone.Template, *phone.TemplateDraft)
			field  string
		}{
			"no name":     {func(x *phone.Template, _ *phone.TemplateDraft) { x.Name = "" }, "name"},
			"a path":      {func(x *phone.Template, _ *phone.TemplateDraft) { x.Name = "../x" }, "name"},
			"a call":      {func(x *phone.Template, _ *phone.TemplateDraft) { x.Name = "packs" }, "name"},
			"no vendor":   {func(x *phone.Template, _ *phone.TemplateDraft) { x.Vendor = "" }, "vendor"},
			"no file":     {func(x *phone.Template, _ *phone.TemplateDraft) { x.File = "" }, "file"},
			"no text":     {func(_ *phone.Template, d *phone.TemplateDraft) { d.Text = "" }, "content"},
			"too long":    {func(_ *phone.Template, d *phone.TemplateDraft) { d.Text = strings.Repeat("x", maxTemplateText+1) }, "content"},
			"a NUL":       {func(_ *phone.Template, d *phone.TemplateDraft) { d.Text = "a\x00b" }, "content"},
			"a long note": {func(_ *phone.Template, d *phone.TemplateDraft) { d.Note = strings.Repeat("x", maxNote+1) }, "note"},
		} {
			x, d := good, draft("text")
			c.change(&x, &d)
			_, _, err := s.CreateTemplate(t.Context(), x, d)
			wantField(t, err, c.field)
			if list := must[[]phone.Template](t)(s.Templates(t.Context())); len(list) != 0 {
				t.Errorf("%s: stored %+v", name, list)
			}
		}
		_, _, err := s.UpdateTemplate(t.Context(), "none", draft("x"))
		wantErr(t, err, phone.ErrNotFound)
	})
}
