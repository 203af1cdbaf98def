package main

import (
	"strings"
	"testing"
)

// The demo's passwords are known to everybody: it answers on this machine alone.
func TestTheDemoAnswersThisMachineAlone(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0", "127.0.0.1.example.org:0", "0:0", "127.0.0.1"} {
		c := demoCommand{Listen: listen}
		c.DataDir = t.TempDir()
		if err := c.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "loopback only") {
			t.Errorf("--listen %s: %v", listen, err)
		}
	}
	for listen, only := range map[string]bool{"127.0.0.1:8080": true, "localhost:0": true, "[::1]:0": true, "127.9.9.9:1": true, "[::ffff:127.0.0.1]:1": true, "localhost.example.org:0": false, "": false} {
		if loopback(listen) != only {
			t.Errorf("%s: loopback is %v", listen, !only)
		}
	}
}
