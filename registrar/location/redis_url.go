package location

import (
	"errors"
	"net/url"
	"strings"
)

// redisURL is a URL whose authority may name several hosts, which url.Parse
// refuses.
type redisURL struct {
	tls   bool
	mode  string   // "", "unix", "sentinel" or "cluster"
	hosts []string // at least one
	url   url.URL  // with the first host
}

var errURL = errors.New("not one of redis://, rediss://, unix://, redis+sentinel://, redis+cluster://")

func splitRedisURL(raw string) (redisURL, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	base, mode, _ := strings.Cut(scheme, "+")
	if !ok || base != "redis" && base != "rediss" && base != "unix" || mode != "" && mode != "sentinel" && mode != "cluster" {
		return redisURL{}, errURL
	}
	if base == "unix" {
		if mode != "" {
			return redisURL{}, errURL
		}
		return redisURL{mode: "unix"}, nil
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	u := redisURL{tls: base == "rediss", mode: mode, hosts: strings.Split(authority, ",")}
	parsed, err := url.Parse(base + "://" + user + u.hosts[0] + tail)
	if err != nil {
		return redisURL{}, withoutURL(err)
	}
	u.url = *parsed
	return u, u.settle()
}

// settle finds the mode of a plain redis:// and moves the name of a Sentinel
// master to where go-redis looks for it.
func (u *redisURL) settle() error {
	q := u.url.Query()
	if u.mode == "" && q.Get("master_name") != "" {
		u.mode = "sentinel"
	}
	if u.mode == "" && (len(u.hosts) > 1 || q.Has("addr")) {
		u.mode = "cluster"
	}
	if u.mode == "sentinel" && q.Get("master_name") == "" {
		name, db, _ := strings.Cut(strings.TrimPrefix(u.url.Path, "/"), "/")
		if name == "" {
			return errors.New("sentinel without the name of its master")
		}
		q.Set("master_name", name)
		u.url.Path = "/" + db
	}
	port := ":6379"
	if u.mode == "sentinel" {
		port = ":26379"
	}
	for i, host := range u.hosts {
		if host == "" {
			return errors.New("empty host")
		}
		if strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
			u.hosts[i] = host + port
		}
	}
	u.url.Host = u.hosts[0]
	for _, host := range u.hosts[1:] {
		q.Add("addr", host)
	}
	u.url.RawQuery = q.Encode()
	return nil
}

// withoutURL is the reason of a url.Error, whose text would show the password.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return errors.New("cannot be parsed")
	}
	return err
}
