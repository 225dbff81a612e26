// Package e2e holds the whole-daemon tests: the built binary, driven by other
// people's programs (curl, tftp-hpa, atftp, sipp, baresip, dhclient, redis-server).
// It has no code of its own.
package e2e
