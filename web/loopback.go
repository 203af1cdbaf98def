package web

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// OnLoopback is next as it may answer on an address that it listens on. Where only this machine reaches the address, a
// request must also have asked for this machine: a page of another site can have its own name resolve to 127.0.0.1 (DNS
// rebinding), and to the visitor's browser what answers is then that site. Besides localhost, 127.0.0.1 and [::1] the
// hosts of further are answered to: how people reach the studio through a proxy on the same machine.
func OnLoopback(bound net.Addr, further []string, next http.Handler) http.Handler {
	address, ok := bound.(*net.TCPAddr)
	if !ok || !address.IP.IsLoopback() {
		return next
	}
	names := []string{"localhost", "127.0.0.1", "::1", address.IP.String()}
	for _, text := range further {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			names = append(names, strings.ToLower(u.Hostname()))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(names, hostName(r.Host)) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, fmt.Sprintf("The studio listens on this machine alone and answers to localhost, 127.0.0.1 and [::1] there, not to %q. "+
			"If a proxy stands before it, set STUDIO_PUBLIC_URL to the address people use.", text.Cut(r.Host, 100)), http.StatusMisdirectedRequest)
	})
}

// hostName is a Host header without its port, in lower case; IPv6 addresses come without brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(host)
}
