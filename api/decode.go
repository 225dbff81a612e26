package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"pbx.dev/dialtone/internal/phone"
)

// maxBody is the largest JSON body taken, in bytes.
const maxBody = 1 << 20

const (
	jsonType  = "application/json"
	patchType = "application/merge-patch+json" // RFC 7396
)

// readObject reads the body as one JSON object. No Content-Type is taken as
// JSON; another one than those of types is refused.
func readObject(w http.ResponseWriter, r *http.Request, types ...string) (map[string]any, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		media, _, err := mime.ParseMediaType(given)
		if err != nil || !slices.Contains(types, media) {
			return nil, refuse(http.StatusUnsupportedMediaType, "Send "+types[0]+".")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return nil, err
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The body could not be read.")
	}
	return parseObject(body)
}

// parseObject parses one JSON object and nothing after it. Numbers keep their
// text.
func parseObject(body []byte) (map[string]any, error) {
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
	return object, nil
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
