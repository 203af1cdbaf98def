package postgres

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection to a database that was cut off ends within seconds, whether something was sent or not; the kernel alone would take hours.
func TestConnectionsThatNobodyHearsEnd(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	config, err := poolConfig("postgres://studio@" + listener.Addr().String() + "/studio")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := config.ConnConfig.DialFunc(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for option, most := range map[int]int{unix.TCP_USER_TIMEOUT: 20_000, unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 10, unix.TCP_KEEPCNT: 3} {
		var got int
		err := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option) })
		if err != nil || got == 0 || got > most {
			t.Errorf("option %d is %d, %v, want at most %d", option, got, err, most)
		}
	}
}
