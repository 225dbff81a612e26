package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"pbx.dev/dialtone/internal/phone"
)

// extensionAnswer is an extension. The password is shown by the two calls that
// make it, and by no other.
type extensionAnswer struct {
	Number      string    `json:"number"`
	Name        string    `json:"name,omitempty"`
	SIPUsername string    `json:"sipUsername"`
	SIPPassword string    `json:"sipPassword,omitempty"`
	CreatedAt   time.Time `json:"createdAt,omitzero"`
	UpdatedAt   time.Time `json:"updatedAt,omitzero"`
}

func extensionOf(e phone.Extension) extensionAnswer {
	return extensionAnswer{
		Number: e.Number, Name: e.Name, SIPUsername: e.SIPUsername,
		CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt),
	}
}

// withPassword is the answer that shows a password just made.
func withPassword(e phone.Extension) extensionAnswer {
	a := extensionOf(e)
	a.SIPPassword = e.Password.Reveal()
	return a
}

// newExtension is the body of a POST. Username and password are minted unless
// given, for moving from another system.
type newExtension struct {
	Number      string `json:"number"`
	Name        string `json:"name"`
	SIPUsername string `json:"sipUsername"`
	SIPPassword string `json:"sipPassword"`
}

// extensionChange is what a PATCH may change, and the number, which it may repeat.
type extensionChange struct {
	Number string `json:"number"`
	Name   string `json:"name"`
}

// listExtensions answers GET /v1/pbx/extensions.
func (s *server) listExtensions(w http.ResponseWriter, r *http.Request) error {
	query, err := newQuery(r)
	if err != nil {
		return err
	}
	q, limit, after := query.text("q"), query.limit(), query.cursor()
	if err := query.err(); err != nil {
		return err
	}
	page, next, err := s.extensionPage(r.Context(), q, after, limit)
	if err != nil {
		return err
	}
	answer := struct {
		Extensions []extensionAnswer `json:"extensions"`
		Next       string            `json:"next,omitempty"`
	}{make([]extensionAnswer, 0, len(page)), next}
	for _, e := range page {
		answer.Extensions = append(answer.Extensions, extensionOf(e))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// extensionPage reads one page; a full one may be the last, so it looks behind it.
func (s *server) extensionPage(ctx context.Context, q, after string, limit int) ([]phone.Extension, string, error) {
	read := s.Extensions.Extensions
	if q != "" {
		read = func(ctx context.Context, after string, limit int) ([]phone.Extension, error) {
			return s.Extensions.FindExtensions(ctx, q, after, limit)
		}
	}
	page, err := read(ctx, after, limit)
	if err != nil || len(page) < limit {
		return page, "", err
	}
	last := page[len(page)-1].Number
	behind, err := read(ctx, last, 1)
	if err != nil || len(behind) == 0 {
		return page, "", err
	}
	return page, seal(last), nil
}

// createExtension answers POST /v1/pbx/extensions.
func (s *server) createExtension(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	in, err := readNew[newExtension](w, r)
	if err != nil {
		return err
	}
	e, err := s.Extensions.CreateExtension(r.Context(), phone.Extension{
		Number: in.Number, Name: in.Name, SIPUsername: in.SIPUsername, Password: phone.NewSecret(in.SIPPassword),
	})
	if err != nil {
		return err
	}
	noteSubject(r, e.Number)
	noteSecret(r, "sipPassword")
	w.Header().Set("ETag", extensionTag(e))
	return created(w, base+"/extensions/"+url.PathEscape(e.Number), withPassword(e))
}

// getExtension answers GET /v1/pbx/extensions/{number}.
func (s *server) getExtension(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	e, err := s.Extensions.Extension(r.Context(), mux.Vars(r)["number"])
	if err != nil {
		return absent("extension", err)
	}
	w.Header().Set("ETag", extensionTag(e))
	return writeJSON(w, http.StatusOK, extensionOf(e))
}

// patchExtension answers PATCH /v1/pbx/extensions/{number}.
func (s *server) patchExtension(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	patch, err := readObject(w, r, patchType, jsonType)
	if err != nil {
		return err
	}
	e, err := s.Extensions.UpdateExtension(r.Context(), mux.Vars(r)["number"], func(e *phone.Extension) error {
		if err := unchanged(r, extensionTag(*e)); err != nil {
			return err
		}
		in, err := patched(extensionChange{e.Number, e.Name}, patch)
		if err != nil {
			return err
		}
		if in.Number != e.Number {
			return phone.Invalid("number", "cannot be changed")
		}
		noteChange(r, extensionChange{e.Number, e.Name}, in)
		e.Name = in.Name
		return nil
	})
	if err != nil {
		return absent("extension", err)
	}
	w.Header().Set("ETag", extensionTag(e))
	return writeJSON(w, http.StatusOK, extensionOf(e))
}

// deleteExtension answers DELETE /v1/pbx/extensions/{number}.
func (s *server) deleteExtension(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	err := s.Extensions.DeleteExtension(r.Context(), mux.Vars(r)["number"], func(e phone.Extension) error {
		return unchanged(r, extensionTag(e))
	})
	if err != nil {
		return absent("extension", err)
	}
	return noContent(w)
}

// rotateCredentials answers POST /v1/pbx/extensions/{number}/credentials. It has
// no body; one that is sent is not read.
func (s *server) rotateCredentials(w http.ResponseWriter, r *http.Request) error {
	dropOld, err := flagOf(r, "dropOld")
	if err != nil {
		return err
	}
	e, err := s.Credentials.RotateCredentials(r.Context(), mux.Vars(r)["number"], dropOld)
	if err != nil {
		return absent("extension", err)
	}
	noteSecret(r, "sipPassword")
	w.Header().Set("ETag", extensionTag(e))
	return writeJSON(w, http.StatusOK, withPassword(e))
}

// rotateLines answers POST /v1/pbx/phones/{id}/credentials: every line gets a new
// secret, which the phone learns when it fetches its configuration.
func (s *server) rotateLines(w http.ResponseWriter, r *http.Request) error {
	dropOld, err := flagOf(r, "dropOld")
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	d, err := s.Credentials.RotateDevice(r.Context(), id, dropOld)
	if err != nil {
		return absent("provisioned phone", err)
	}
	p, _ := s.Roster.Phone(id)
	w.Header().Set("ETag", deviceTag(d))
	return writeJSON(w, http.StatusOK, deviceAnswer(withDevice(p, d), d, infoOf(r).key))
}

// flagOf reads the one parameter of a call that has no other.
func flagOf(r *http.Request, name string) (bool, error) {
	q, err := newQuery(r)
	if err != nil {
		return false, err
	}
	v := q.choice(name, "1", "0", "true", "false")
	return v == "1" || v == "true", q.err()
}
