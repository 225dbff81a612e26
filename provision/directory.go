package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pbx.dev/dialtone/internal/catalog"
	"pbx.dev/dialtone/internal/phone"
	"pbx.dev/dialtone/internal/settings"
	"pbx.dev/dialtone/templates"
)

// Directory gives the extensions after the number after, in a stable order, with
// their names; an empty page is the end.
type Directory func(ctx context.Context, after string, limit int) ([]phone.Extension, error)

const (
	bookPage    = 1000            // contacts of one file
	bookPages   = 5               // files; a Yealink phone has that many remote phone books
	bookTimeout = 5 * time.Second // the directory is read for all phones, not for one request
	bookRetry   = 2 * time.Second // after a failure: no request waits for a database that is away
)

// book is the directory as it was last read. Nobody holds its lock while it is read:
// who changes the directory must not wait for the database.
type book struct {
	mu       sync.Mutex
	revision int64
	last     *edition // nil: to be read
}

// edition is one reading of the directory. Its fields are set when done is closed.
type edition struct {
	revision int64 // set from the start
	done     chan struct{}
	contacts []templates.Contact
	err      error
	retry    time.Time // after an error: when it may be tried again
}

// failed reports whether e is of no use and it is time to read again.
func (e *edition) failed(now time.Time) bool {
	select {
	case <-e.done:
		return e.err != nil && !now.Before(e.retry)
	default:
		return false // it is being read
	}
}

// DirectoryChanged says that the extensions or their names are others now.
func (s *Service) DirectoryChanged() {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.last = nil
	s.book.revision++
}

// contacts returns the directory, at most bookPages pages, and what changes with it.
// The first who asks reads it, the others wait for that.
func (s *Service) contacts() ([]templates.Contact, int64, error) {
	if s.opts.Directory == nil {
		return nil, 0, nil
	}
	s.book.mu.Lock()
	e := s.book.last
	mine := e == nil || e.failed(s.now())
	if mine {
		e = &edition{revision: s.book.revision, done: make(chan struct{})}
		s.book.last = e
	}
	s.book.mu.Unlock()
	if mine {
		s.readBook(e)
	}
	<-e.done
	return e.contacts, e.revision, e.err
}

// readBook reads the directory into e.
func (s *Service) readBook(e *edition) {
	e.err = errors.New("reading the directory panicked") // unless the end is reached
	defer close(e.done)
	ctx, cancel := context.WithTimeout(context.Background(), bookTimeout)
	defer cancel()
	var all []templates.Contact
	after := ""
	for len(all) < bookPage*bookPages {
		page, err := s.opts.Directory(ctx, after, bookPage)
		if err != nil {
			e.err, e.retry = fmt.Errorf("read the directory: %w", err), s.now().Add(bookRetry)
			return
		}
		for _, x := range page {
			all = append(all, templates.Contact{Number: x.Number, Name: cmp.Or(x.Name, x.Number)})
		}
		if len(page) < bookPage {
			break
		}
		after = page[len(page)-1].Number
	}
	if len(all) > bookPage {
		s.log.Warn("phone books hold the first extensions only", "extensions", len(all), "polycom", bookPage, "grandstream", bookPage, "yealink", bookPage*bookPages)
	}
	e.contacts, e.err = all, nil
}

// pageOf is one file's part of the directory.
func pageOf(all []templates.Contact, page int) []templates.Contact {
	from := min(max(page-1, 0)*bookPage, len(all))
	return all[from:min(from+bookPage, len(all))]
}

// contactsOf is the directory of a Polycom phone with the numbers of its speed dial
// keys: they dial what the directory has under their number.
func contactsOf(all []templates.Contact, keys []templates.Key) []templates.Contact {
	var out []templates.Contact
	for _, k := range keys {
		if k.Type == "speeddial" || k.Type == "park" {
			out = append(out, templates.Contact{Number: k.Value, Name: cmp.Or(k.Label, k.Value), Speed: k.Number})
		}
	}
	if out == nil {
		return all
	}
	return append(out, all...)
}

// pages is how many files the directory takes, at least one.
func pages(contacts int) int { return min(max(1, (contacts+bookPage-1)/bookPage), bookPages) }

// hasBook reports whether the directory of a phone is ours; else it is what the
// phone itself has stored here.
func (s *Service) hasBook(d phone.Device) bool {
	v, ok := s.layers().Effective(d, modelCode(d), nil)["phonebook"]
	if !ok {
		return true
	}
	ref, _ := settings.Lookup("phonebook")
	text, err := ref.Spec.Parse(v.Text)
	return err != nil || text == "1"
}

// bookVersion is what a file depends on of the directory: all of it, or how many
// files it takes.
func (s *Service) bookVersion(r role) int64 {
	if !r.own {
		return 0
	}
	all, revision, err := s.contacts()
	switch {
	case err != nil:
		return -1 // rendered anew each time until the directory can be read
	case r.isBook():
		return revision
	}
	return int64(pages(len(all)))
}

// addBook fills in the contacts of a phone book, and the pages that the phone's
// configuration names.
func (s *Service) addBook(v *templates.View, r role) error {
	if !r.own {
		return nil
	}
	all, _, err := s.contacts()
	if !r.isBook() {
		for i := range pages(len(all)) {
			v.PhonebookPages = append(v.PhonebookPages, i+1)
		}
		return nil // a phone without its directory is better than one without its configuration
	}
	if err != nil {
		return err
	}
	v.Contacts = pageOf(all, r.page)
	if v.Vendor == string(phone.Polycom) {
		v.Contacts = contactsOf(v.Contacts, v.Keys)
	}
	return nil
}

// commonModel is the model that a common file is for: y000000000066.cfg is the
// T46S's, cfggxp2170.xml the GXP2170's; empty when the name tells none.
func commonModel(t Target) string {
	if t.Model != "" {
		if m, ok := catalog.Lookup(string(t.Vendor), t.Model); ok {
			return m.Code
		}
	}
	if t.Vendor != phone.Yealink || t.Kind != KindCommon {
		return ""
	}
	for _, m := range catalog.Models(phone.Yealink) {
		if m.YealinkCommon == t.Name {
			return m.Code
		}
	}
	return ""
}
