package postgres

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// lost reports whether err says that a connection broke while it was used.
func lost(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED) ||
		(errors.As(err, &network) && !network.Timeout()) ||
		strings.HasSuffix(err.Error(), "conn closed") // pgx has no exported error for it
}
