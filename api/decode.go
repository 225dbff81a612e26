package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"unicode/utf8"

	"pbx.dev/dialtone/internal/phone"
)

// maxBody is the largest JSON body taken, in bytes.
const maxBody = 1 << 20

const (
	jsonType  = "application/json"
	patchType = "application/merge-patch+json" // RFC 7396
	formType  = "application/x-www-form-urlencoded"
)

// readObject reads the body as one JSON object. What says that it is of another type
// than types is refused.
func readObject(w http.ResponseWriter, r *http.Request, types ...string) (map[string]any, error) {
	if err := checkType(r, types...); err != nil {
		return nil, err
	}
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return nil, err
	}
	return parseObject(body)
}

// checkType refuses a body of another type than types. One that does not say its type
// passes, and so does what curl -d and --data-binary say unless they are told; but
// not with the cookie of a session: a page of another site can send a form, and
// cannot send a key.
func checkType(r *http.Request, types ...string) error {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if err == nil && slices.Contains(types, media) {
		return nil
	}
	if _, hasKey := bearer(r); hasKey && media == formType {
		return nil
	}
	return refuse(http.StatusUnsupportedMediaType, "Send "+types[0]+".")
}

// readBody reads the whole body. Of one that is larger than most bytes the rest is
// thrown away for a while: many clients read no answer before they have sent all.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	const thrownAway = 64 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "The body could not be read.")
	case int64(len(body)) <= most:
		return body, nil
	}
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, thrownAway)) // the answer is the same
	return nil, &http.MaxBytesError{Limit: most}
}

// parseObject parses one JSON object and nothing after it. Numbers keep their
// text. What one reader would read in another way than the next is refused.
func parseObject(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, refuse(http.StatusBadRequest, "The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, refuse(http.StatusBadRequest, "The body is not JSON.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(http.StatusBadRequest, "There is something after the JSON value.")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, phone.Invalid("body", "must be a JSON object")
	}
	return object, checkNames(json.NewDecoder(bytes.NewReader(body)))
}

// checkNames reports a name that stands twice in one object of the next value of d
// (RFC 8259 section 4 calls what happens then unpredictable).
func checkNames(d *json.Decoder) error {
	start, _ := d.Token() // it has been parsed once: no error can come
	switch start {
	case json.Delim('{'):
		seen := make(map[json.Token]bool)
		for d.More() {
			name, _ := d.Token()
			if seen[name] {
				return phone.Invalid(clip(fmt.Sprint(name)), "is there twice")
			}
			seen[name] = true
			if err := checkNames(d); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for d.More() {
			if err := checkNames(d); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, _ = d.Token() // the end of it
	return nil
}

// decode checks doc against the fields of T (check.go) and returns it as T.
func decode[T any](doc map[string]any) (T, error) {
	var v T
	if err := checkShape(&v, doc); err != nil {
		return v, err
	}
	return v, remarshal(doc, &v)
}

// remarshal copies one JSON value into another of a shape known to fit.
func remarshal(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(to)
}

// readNew reads the body of a POST. A null is the same as leaving the field out.
func readNew[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	doc, err := readObject(w, r, jsonType)
	if err != nil {
		var none T
		return none, err
	}
	return patched(*new(T), doc)
}

// readOptional is readNew for a body that may be left out.
func readOptional[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	if r.ContentLength == 0 {
		return *new(T), nil
	}
	if r.ContentLength < 0 { // chunked: there may be nothing
		body := bufio.NewReader(r.Body)
		if _, err := body.Peek(1); errors.Is(err, io.EOF) {
			return *new(T), nil
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{body, r.Body}
	}
	return readNew[T](w, r)
}

// patched applies patch to v as RFC 7396 section 2 says and checks the result,
// and the patch itself: what it sets or removes must be a field.
func patched[T any](v T, patch map[string]any) (T, error) {
	if err := checkShape(&v, patch); err != nil {
		return v, err
	}
	var doc map[string]any
	if err := remarshal(v, &doc); err != nil {
		return v, err
	}
	return decode[T](mergePatch(doc, patch))
}

// mergePatch is the algorithm of RFC 7396 section 2 for objects.
func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = make(map[string]any)
	}
	for name, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			old, _ := target[name].(map[string]any)
			target[name] = mergePatch(old, v)
		default:
			target[name] = v
		}
	}
	return target
}
