package location

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisTimeout bounds each step of a command. A REGISTER is repeated by the
// phone after 500 ms (RFC 3261 section 17.1.2.2, T1): to wait longer is of no
// use to it.
const redisTimeout = 500 * time.Millisecond

// OpenRedis connects to the Redis or Valkey that rawURL names and asks it for a
// sign of life. The forms are:
//
//	redis://[user:password@]host[:6379][/db]
//	rediss://...                                          the same over TLS
//	unix://[user:password@]/path/redis.sock[?db=n]
//	redis://[user:password@]host[:26379][,host...][/db]?master_name=NAME       Sentinel
//	redis+sentinel://[user:password@]host[:26379][,host...]/NAME[/db]          the same
//	redis://[user:password@]host[:6379],host...           Cluster
//	redis+cluster://[user:password@]host[:6379][,host...] Cluster, one host will do
//
// rediss also stands before +sentinel and +cluster. User and password are always
// those of Redis; Sentinels have the parameters sentinel_username and
// sentinel_password. Further parameters are those of go-redis: skip_verify,
// read_timeout, pool_size and so on. Unless the URL says otherwise every step of a
// command is given up after 500 ms and nothing is tried twice.
//
// The error wraps ErrUnavailable when the server does not answer. It never
// contains the password.
func OpenRedis(ctx context.Context, rawURL string) (redis.UniversalClient, error) {
	client, err := DialRedis(rawURL)
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close() // it never worked
		return nil, unavailable("connect to redis", err)
	}
	return client, nil
}

// DialRedis is OpenRedis without the sign of life: the server may come later.
func DialRedis(rawURL string) (redis.UniversalClient, error) {
	client, err := redisClient(rawURL)
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	return client, nil
}

func redisClient(raw string) (redis.UniversalClient, error) {
	u, err := splitRedisURL(raw)
	if err != nil {
		return nil, err
	}
	switch u.mode {
	case "sentinel":
		return sentinelClient(u.url)
	case "cluster":
		return clusterClient(u.url.String())
	case "unix":
		return plainClient(raw)
	}
	return plainClient(u.url.String())
}

func plainClient(text string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(text)
	if err != nil {
		return nil, withoutURL(err)
	}
	steps{&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.MaxRetries, &o.DialerRetries}.set()
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

func clusterClient(text string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(text)
	if err != nil {
		return nil, withoutURL(err)
	}
	steps{&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.MaxRetries, &o.DialerRetries}.set()
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

// sentinelClient reads user and password as those of Redis, where go-redis takes
// them for the Sentinels'.
func sentinelClient(u url.URL) (redis.UniversalClient, error) {
	q, user := u.Query(), u.User
	name, password := q.Get("sentinel_username"), q.Get("sentinel_password")
	q.Del("sentinel_username")
	q.Del("sentinel_password")
	u.User, u.RawQuery = nil, q.Encode()
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, withoutURL(err)
	}
	if user != nil {
		o.Username = user.Username()
		o.Password, _ = user.Password()
	}
	o.SentinelUsername, o.SentinelPassword = name, password
	steps{&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, &o.MaxRetries, &o.DialerRetries}.set()
	o.ContextTimeoutEnabled = true
	return redis.NewFailoverClient(o), nil
}

// steps are the options that decide how long a command may take, which the three
// kinds of clients have in common.
type steps struct {
	dial, read, write, pool *time.Duration
	retries, dials          *int
}

// set leaves alone what the URL has set.
func (s steps) set() {
	for _, d := range []*time.Duration{s.dial, s.read, s.write, s.pool} {
		if *d == 0 {
			*d = redisTimeout
		}
	}
	if *s.retries == 0 {
		*s.retries = -1
	}
	*s.dials = 1
}
