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

// OnLoopback returns next, guarded against DNS rebinding if bound is an address that only this machine can reach. Another site can make
// its own name resolve to 127.0.0.1; to the visitor's browser the studio would then be that site. So requests are answered only if
// their Host is localhost, 127.0.0.1, [::1] or one of further: the hosts under which a proxy on the same machine offers the studio.
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

// hostName returns the name in a Host header: without port, in lower case, an IPv6 address without brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(host)
}
